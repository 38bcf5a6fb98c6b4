"""`conformance self` judges this project by its own suite, section by section."""

from tinker_mock.suite.selftest import data, proofs, servers, subjects
from tinker_mock.suite.selftest.section import Section

SECTIONS = {
    section.name: section
    for section in (
        Section("server", 12, servers.server),
        Section("lasting", 14, servers.lasting),
        Section("shared", 20, servers.shared),
        Section("mutants", 60, proofs.mutants),
        Section("faults", 60, proofs.faults),
        Section("behaviour", 15, servers.behaviour),
        Section("fuzz", 25, servers.fuzz),
        Section("reference-client", 40, subjects.reference_client),
        Section("tinker-sdk", 41, subjects.newest_sdk),
        Section("tokenizers", 5, subjects.tokenizers),
        Section("kimi", 6, subjects.kimi),
        Section("vectors", 8, data.vectors),
        Section("cassettes", 10, data.cassettes),
    )
}
