"""What Alipay's answers are made of: refusals with their codes, and times in Beijing's."""

import calendar
import time
from typing import Any

Answer = dict[str, Any]


class Refused(Exception):
    """A business or gateway refusal with its codes."""

    def __init__(self, sub_code: str, sub_msg: str, *, code: str = "40004") -> None:
        super().__init__(sub_code)
        msg = {"40002": "Invalid Arguments", "40001": "Missing Required Arguments"}
        self.answer: Answer = {
            "code": code,
            "msg": msg.get(code, "Business Failed"),
            "sub_code": sub_code,
            "sub_msg": sub_msg,
        }


def print_time(moment: float) -> str:
    """Return a time as Alipay writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment + 8 * 3600))


def read_time(text: str) -> float:
    """Read a time as Alipay writes it; raise ValueError."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) - 8 * 3600
