"""The veil over secrets: texts on their way to log, status, journal and people, with the secrets taken out.

Laws: a secret is known here from the moment it was read, in memory alone; it is covered as it is and as the usual
quotings write it (Python's repr, JSON, URLs); a secret of fewer than four characters is not covered in texts,
for covering it would tear every text apart and still tell where it stood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from attrs import evolve

from cryocloud_core.errors import ConfigError
from cryocloud_core.secrets import SHOWN, Secret
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Outcome, Succeeded, TimedOut

#: characters below which a secret is not covered in texts
SHORTEST: Final = 4


class Veil:
    """Covers the secrets it was told; costs nothing while there are none."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def __bool__(self) -> bool:
        """Return True when there is something to cover."""
        return self._pattern is not None

    def know_handles(self, *data: Any) -> None:
        """Know every secret that handles in this JSON data stand for; one that cannot be read now is no secret yet."""
        for handle in _handles(data):
            try:
                self.know(handle.reveal())
            except ConfigError:
                continue

    def know_revealed(self, data: Any, revealed: Any) -> None:
        """Know what the handles in JSON data were when it was revealed."""
        if Secret.of(data) is not None:
            self.know(revealed)
        elif isinstance(data, dict):
            for key, value in data.items():
                self.know_revealed(value, revealed[key])
        elif isinstance(data, list):
            for value, shown in zip(data, revealed, strict=True):
                self.know_revealed(value, shown)

    def know(self, *secrets: Any) -> None:
        """Know secrets as they are: texts, or JSON data whose every text and number is secret."""
        fresh = {secret for secret in _texts(secrets) if len(secret) >= SHORTEST} - self._known
        if fresh:
            self._known |= fresh
            spelt = sorted(
                {each for secret in self._known for each in _spellings(secret) if len(each) >= SHORTEST},
                key=len,
                reverse=True,
            )
            self._pattern = re.compile("|".join(map(re.escape, spelt)))

    def text(self, text: str) -> str:
        """Return a text with every secret covered."""
        return text if self._pattern is None else self._pattern.sub(SHOWN, text)

    def data(self, data: Any) -> Any:
        """Return JSON data with every secret in its texts covered."""
        if self._pattern is None:
            return data
        if isinstance(data, str):
            return self._pattern.sub(SHOWN, data)
        if isinstance(data, dict):
            return {self.text(str(key)): self.data(value) for key, value in data.items()}
        return [self.data(item) for item in data] if isinstance(data, list | tuple) else data

    def _outputs(self, outputs: dict[str, Any]) -> dict[str, Any]:
        return {**outputs, "error": self.data(outputs["error"])} if "error" in outputs else outputs

    def outcome(self, outcome: Outcome) -> Outcome:
        """Return an outcome whose words are covered; what a module returned is its own data and stays.

        But for `error`, which is a text for people wherever it stands.
        """
        match outcome:
            case Succeeded():
                return (
                    evolve(outcome, outputs=self._outputs(outcome.outputs)) if "error" in outcome.outputs else outcome
                )
            case Failed():
                error, trace = self.text(outcome.error), self.text(outcome.trace)
                return evolve(outcome, error=error, trace=trace, outputs=self._outputs(outcome.outputs))
            case TimedOut():
                return evolve(outcome, error=self.text(outcome.error))
            case Cancelled() | Lost() | Declined():
                return evolve(outcome, why=self.text(outcome.why))


def _handles(data: Any) -> Iterable[Secret]:
    secret = Secret.of(data)
    if secret is not None:
        yield secret
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _handles(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _handles(item)


def _texts(data: Any) -> Iterable[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield json.dumps(data)


def _spellings(secret: str) -> Iterable[str]:
    """Yield a secret as it stands in plain texts and inside the usual quotes."""
    yield secret
    yield from secret.splitlines() if len(secret.splitlines()) > 1 else ()
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
