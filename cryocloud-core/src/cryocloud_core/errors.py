"""The exception tree of CryoCloud: every error says what, where, what was found and what to do.

::

    CryoCloudError                 anything CryoCloud raises on purpose
    ├── UsageError                 exit 2: a bad document, option or configuration
    │   ├── DocumentError          a workflow has problems; carries all of them
    │   ├── OptionError            an option value cannot be read
    │   └── ConfigError            a configuration file or value is wrong
    ├── StartError                 exit 3: a run cannot start
    │   ├── LockedError            another head owns the state directory
    │   ├── StateError             the state directory or its journal cannot be used
    │   ├── ResumeRefused          unfinished pebbles belong to another version of the workflow
    │   └── PluginError            a plugin breaks the contract; names both parties
    ├── ModuleError                a module cannot be found, read or loaded
    │   ├── ModuleNotFound         no directory and no package offers it
    │   └── SpecError              its ccmodule definition is missing or wrong
    ├── TaskError                  one task cannot do its work; becomes the task's outcome
    │   ├── ResolutionError        an argument or setting of a task cannot be resolved
    │   ├── StagingError           a file could not be brought to where the module runs
    │   │   ├── ArchiveError       an archive is unsafe or damaged; nothing of it is left behind
    │   │   └── TransferError      a remote place failed; says whether trying again can help
    │   │       ├── RemoteFileMissing   there is nothing of that name
    │   │       └── RemoteFileChanged   it is no longer the file that was begun with
    │   └── ReturnValueError       process_task returned something that is no result
    ├── PebbleNotFound             exit 1: the journal knows no pebble of that number
    ├── EngineError                a law of the engine was broken; tells the pebble's story
    │   ├── TransitionError        the state table has no such transition
    │   └── ReplayDiffers          a replay started other tasks than the journal says
    └── WireError                  data that crosses a process or a file has the wrong shape

Laws: expected errors are printed as one line, bugs keep their traceback; `place` is where the user can
look (a file with line and column, a node, an argument), `remedy` is what the user can do about it; what URLs in any of
them hold of secrets is covered with dots, whoever wrote them there.
"""

from __future__ import annotations

from cryocloud_core.url_secrets import covered, shown_url, unsaid


class CryoCloudError(Exception):
    """Anything CryoCloud raises on purpose.

    `subject` is the thing it is about (`module "wind"`), `place` where to look (`flow.json:3:5`),
    `remedy` what to do; `str()` joins them into one line.
    """

    exit_code = 1

    def __init__(self, message: str, *, subject: str = "", place: str = "", remedy: str = "") -> None:
        self.message = covered(message)
        super().__init__(self.message)
        self.subject = shown_url(subject)
        self.place = covered(place)
        self.remedy = covered(remedy)

    def __str__(self) -> str:
        """Return the error as one line: place, subject, message, remedy."""
        front = "".join(f"{part}: " for part in (self.place, self.subject) if part)
        back = f"; {self.remedy}" if self.remedy else ""
        return f"{front}{self.message}{back}"


class UsageError(CryoCloudError):
    """A document, an option or the configuration is wrong: nothing was started."""

    exit_code = 2


class DocumentError(UsageError):
    """A workflow has problems; `problems` holds every one of them as printable lines."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), place: str = "") -> None:
        super().__init__(message, place=place)
        self.problems = problems


class OptionError(UsageError):
    """An option's value cannot be read as its declared type."""


class ConfigError(UsageError):
    """A configuration file or value is wrong."""


class StartError(CryoCloudError):
    """A run cannot start here and now."""

    exit_code = 3


class LockedError(StartError):
    """Another head owns the state directory."""


class StateError(StartError):
    """The state directory or the journal in it cannot be used."""


class ResumeRefused(StartError):
    """Unfinished pebbles belong to another version of the workflow."""


class PluginError(StartError):
    """A plugin breaks the contract; the message names the plugin and its counterpart."""


class ModuleError(CryoCloudError):
    """A module cannot be found, read or loaded."""


class ModuleNotFound(ModuleError):
    """Neither a directory nor an installed package offers the module."""


class SpecError(ModuleError):
    """A module's ccmodule definition is missing or wrong."""


class TaskError(CryoCloudError):
    """One task cannot do its work; the worker turns it into the task's outcome."""


class ResolutionError(TaskError):
    """An argument or a setting of a task cannot be resolved."""


class StagingError(TaskError):
    """A file could not be brought to where the module runs."""


class ArchiveError(StagingError):
    """An archive is unsafe or damaged; nothing of it is left behind."""


class TransferError(StagingError):
    """A remote place failed: the subject is the URL, the message says what it answered, but no secret of that URL.

    `repeat` tells whether trying again can help, `after_s` how long the other side asked to wait first.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        place: str = "",
        remedy: str = "",
        repeat: bool = False,
        after_s: float | None = None,
    ) -> None:
        super().__init__(unsaid(message, subject), subject=subject, place=place, remedy=unsaid(remedy, subject))
        self.repeat = repeat
        self.after_s = after_s


class RemoteFileMissing(TransferError):
    """The remote place answers that there is nothing of that name."""


class RemoteFileChanged(TransferError):
    """The remote file is no longer the one that was begun with: what is here of it is worth nothing."""


class ReturnValueError(TaskError):
    """`process_task` returned something that is no result."""


class PebbleNotFound(CryoCloudError):
    """The journal knows no pebble of that number: none has come so far, or it was forgotten."""


class EngineError(CryoCloudError):
    """A law of the engine was broken; the message tells the pebble's story."""


class TransitionError(EngineError):
    """The state table has no entry for what happened to a node."""


class ReplayDiffers(EngineError):
    """A replay started other tasks than the journal says it had started."""


class WireError(CryoCloudError):
    """Data that crosses a process or a file has the wrong shape."""
