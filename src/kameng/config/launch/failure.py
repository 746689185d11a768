"""The one exception of the machine layer: a sentence for a person, never a traceback."""


class LaunchFailed(RuntimeError):
    """Kameng cannot go on: `what` happened, and what the person can do about it (`remedy`)."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class StopRequested(BaseException):
    """A person or the system asked the program to stop (SIGINT, SIGTERM, SIGHUP).

    Not an `Exception`, like `KeyboardInterrupt`: nothing may swallow it on the way up.
    """
