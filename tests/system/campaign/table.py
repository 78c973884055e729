"""The table at the end of a campaign, as plain text."""

from __future__ import annotations

from campaign.driver import Report


def table(report: Report) -> str:
    """Return the report as lines of a name and a number, the breaches below."""
    plan = report.plan
    rows = [
        ("seed", plan.seed),
        *sorted(report.kills.items()),
        ("kills and stops", sum(report.kills.values())),
        ("starts of the head", report.lives),
        ("seconds", round(report.seconds, 1)),
        ("exit status", report.exit_status),
        ("pebbles", report.pebbles),
        *((f"pebbles: {result}", count) for result, count in sorted(report.results.items())),
        ("tasks", report.tasks),
        ("attempts that began", report.attempts),
        ("repeats of a cut task", report.repeats),
        ("pebbles with a node whose worker was lost twice", report.excused),
        ("violations", len(report.breaches)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value!s:>8}" for name, value in rows]
    return "\n".join([*lines, *(f"VIOLATION {breach}" for breach in report.breaches)])
