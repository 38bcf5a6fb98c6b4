"""Usage, storage and audit: read-only listings."""

from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import expect

DAYS = {"starting_on": "2026-01-01T00:00:00Z", "ending_before": "2027-01-01T00:00:00Z"}


@scenario(
    "billing/reports",
    "billing/usage/data",
    "billing/usage/event-form",
    "billing/usage/bad-date",
    "billing/storage/data",
    "billing/storage/project",
    "billing/audit/entries",
    "billing/audit/entry-form",
    "billing/audit/filter",
    reads_only=True,
)
def reports(stage: Stage) -> None:
    """What an organisation's owner looks at."""
    usage = stage.hands.call("get_billing_usage", query=DAYS)
    with stage.check("billing/usage/data"):
        expect(isinstance(usage.require().at("/data"), list), "a list", "list", usage.text)
    with stage.check("billing/usage/event-form"):
        for event in usage.require().at("/data"):
            wanted = {"bucket_start", "bucket_end", "event_info"}
            expect(wanted <= set(event), "an event has its fields", sorted(wanted), event)
    with stage.check("billing/usage/bad-date"):
        query = {**DAYS, "starting_on": "yesterday"}
        wrong = stage.hands.call("get_billing_usage", query=query, wrong=True)
        expect(400 <= wrong.status < 500, "refused", "4xx", wrong.status)
    with stage.check("billing/storage/data"):
        storage = stage.hands.call("get_checkpoint_storage_usage").require()
        for item in storage.at("/data"):
            wanted = {"checkpoint_count", "size_bytes", "size_gigabytes"}
            expect(wanted <= set(item), "an item has its fields", sorted(wanted), item)
    with stage.check("billing/storage/project"):
        query = {"project_id": "conformance"}
        stage.hands.call("get_checkpoint_storage_usage", query=query).require()
    audit = stage.hands.call("get_audit_log")
    with stage.check("billing/audit/entries"):
        expect(isinstance(audit.require().at("/entries"), list), "a list", "list", audit.text)
    with stage.check("billing/audit/entry-form"):
        for one in audit.require().at("/entries"):
            expect({"timestamp", "event"} <= set(one), "an entry has its fields", "", one)
    with stage.check("billing/audit/filter"):
        query = {"event_type": "checkpoints", "day": "2026-01-02"}
        stage.hands.call("get_audit_log", query=query).require()
