"""Running the event loop's side of the program inside a test, connections closed at the end."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from kameng.accounts.store import callers
from kameng.orders.store import confirm_lane, open_lane, wallet_lane
from kameng.tenancy.store import stamped_sites

R = TypeVar("R")


def run_on_loop(*awaitables: Awaitable[R]) -> list[R | BaseException]:
    """Run awaitables at the same time on a fresh loop; return results or exceptions."""

    async def work() -> list[R | BaseException]:
        try:
            return await asyncio.gather(*awaitables, return_exceptions=True)
        finally:
            await close_lanes()

    return asyncio.run(work())


async def close_lanes() -> None:
    """Hang up what the program's lanes have opened."""
    lanes: tuple[Any, ...] = (callers, stamped_sites, wallet_lane, open_lane, confirm_lane)
    for lane in lanes:
        await lane.close()
