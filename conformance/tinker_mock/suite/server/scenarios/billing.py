"""Usage, storage and audit: read-only listings."""

from datetime import UTC, datetime, timedelta

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import expect
from tinker_mock.suite.server.scenario import scenario


def window() -> dict[str, str]:
    """The fortnight that ends with this hour."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {"starting_on": _stamp(end - timedelta(days=14)), "ending_before": _stamp(end)}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@scenario("billing/reports", reads_only=True)
def reports(context: ScenarioContext) -> None:
    """What an organisation's owner looks at."""
    usage = context.client.call("get_billing_usage", query=window())
    with context.check("billing/usage/data"):
        expect(isinstance(usage.require().at("/data"), list), "a list", "list", usage.text)
    with context.check("billing/usage/event-form"):
        for event in usage.require().at("/data"):
            wanted = {"bucket_start", "bucket_end", "event_info"}
            expect(wanted <= set(event), "an event has its fields", sorted(wanted), event)
    with context.check("billing/usage/bad-date"):
        query = {**window(), "starting_on": "yesterday"}
        wrong = context.client.call("get_billing_usage", query=query, wrong=True)
        expect(400 <= wrong.status < 500, "refused", "4xx", wrong.status)
    with context.check("billing/storage/data"):
        storage = context.client.call("get_checkpoint_storage_usage").require()
        for item in storage.at("/data"):
            wanted = {"checkpoint_count", "size_bytes", "size_gigabytes"}
            expect(wanted <= set(item), "an item has its fields", sorted(wanted), item)
    with context.check("billing/storage/project"):
        query = {"project_id": "conformance"}
        storage = context.client.call("get_checkpoint_storage_usage", query=query).require()
        rows = [one for one in storage.at("/data") if isinstance(one, dict)]
        others = [one for one in rows if one.get("project_id") != "conformance"]
        expect(not others, "the project's own only", [], others)
    audit = context.client.call("get_audit_log")
    with context.check("billing/audit/entries"):
        expect(isinstance(audit.require().at("/entries"), list), "a list", "list", audit.text)
    with context.check("billing/audit/entry-form"):
        for one in audit.require().at("/entries"):
            expect({"timestamp", "event"} <= set(one), "an entry has its fields", "", one)
    with context.check("billing/audit/filter"):
        query = {"event_type": "checkpoints", "day": "2026-01-02"}
        entries = context.client.call("get_audit_log", query=query).require().at("/entries")
        rows = [one for one in entries if isinstance(one, dict)]
        others = [one for one in rows if not str(one.get("timestamp")).startswith("2026-01-02")]
        expect(not others, "entries of that day only", "2026-01-02", others)
