"""The one table that binds the control contract's operations to handlers."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.wire.exchange import Answer, Exchange

if TYPE_CHECKING:
    from tinker_mock.server.control import (
        clock,
        documents,
        inspector,
        journal,
        metrics,
        misbehaviour,
        models,
        promises,
        scripts,
        state,
        tokenizers,
    )
else:
    clock = LazyModule("tinker_mock.server.control.clock")
    documents = LazyModule("tinker_mock.server.control.documents")
    inspector = LazyModule("tinker_mock.server.control.inspector")
    journal = LazyModule("tinker_mock.server.control.journal")
    metrics = LazyModule("tinker_mock.server.control.metrics")
    misbehaviour = LazyModule("tinker_mock.server.control.misbehaviour")
    models = LazyModule("tinker_mock.server.control.models")
    promises = LazyModule("tinker_mock.server.control.promises")
    scripts = LazyModule("tinker_mock.server.control.scripts")
    state = LazyModule("tinker_mock.server.control.state")
    tokenizers = LazyModule("tinker_mock.server.control.tokenizers")

Outcome = Answer | dict[str, Any] | None
"""A JSON body (200), nothing (204), or an answer as it is."""
Handler = Callable[[MockControl, Exchange], Awaitable[Outcome]]

HANDLERS: dict[str, Handler] = {
    "get_clock": clock.get_clock,
    "advance_clock": clock.advance_clock,
    "get_inspector": inspector.get_inspector,
    "get_inspector_file": inspector.get_inspector_file,
    "list_curves": inspector.list_curves,
    "list_samples": inspector.list_samples,
    "list_all_checkpoints": inspector.list_all_checkpoints,
    "change_checkpoint": inspector.change_checkpoint,
    "download_checkpoint": inspector.download_checkpoint,
    "get_document": documents.get_document,
    "get_newest_document": documents.get_newest_document,
    "get_docs": documents.get_docs,
    "get_exchange": journal.get_exchange,
    "send_again": journal.send_again,
    "query_journal": journal.query_journal,
    "count_journal": journal.count_journal,
    "wait_for_count": journal.wait_for_count,
    "reset_journal": journal.reset_journal,
    "journal_summary": journal.journal_summary,
    "verify_journal": journal.verify_journal,
    "export_journal": journal.export_journal,
    "journal_feed": journal.journal_feed,
    "metrics": metrics.metrics,
    "list_mutants": misbehaviour.list_mutants,
    "put_mutant": misbehaviour.put_mutant,
    "list_quirks": misbehaviour.list_quirks,
    "put_quirks": misbehaviour.put_quirks,
    "list_plans": misbehaviour.list_plans,
    "create_plan": misbehaviour.create_plan,
    "get_plan": misbehaviour.get_plan,
    "delete_plan": misbehaviour.delete_plan,
    "list_promises": promises.list_promises,
    "list_lanes": promises.list_lanes,
    "complete_promise": promises.complete_promise,
    "expire_promise": promises.expire_promise,
    "fail_promise": promises.fail_promise,
    "get_scenario": misbehaviour.get_scenario,
    "put_scenario": misbehaviour.put_scenario,
    "list_scenarios": misbehaviour.list_scenarios,
    "add_script": scripts.add_script,
    "list_scripts": scripts.list_scripts,
    "clear_scripts": scripts.clear_scripts,
    "get_tokenizer": tokenizers.get_tokenizer,
    "index": state.index,
    "healthz": state.healthz,
    "readyz": state.readyz,
    "get_state": state.get_state,
    "reset": state.reset,
    "list_sessions": state.list_sessions,
    "expire_session": state.expire_session,
    "put_key": state.put_key,
    "list_models": models.list_models,
    "lose_model": models.lose_model,
    "list_snapshots": state.list_snapshots,
    "take_snapshot": state.take_snapshot,
    "restore_snapshot": state.restore_snapshot,
    "delete_snapshot": state.delete_snapshot,
}
