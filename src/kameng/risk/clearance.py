"""The clearance to place an order: proof that the risk rules were asked.

`orders.place_order` requires one, so a way to buy that forgets them does not type-check. Only
`risk.services.assess_checkout` makes one.
"""

from dataclasses import dataclass

_SEAL = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """One checkout that was let through: on which site, by whom (`actor`), from where."""

    site_id: int
    actor: str
    ip: str
    seal: object = None

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("a clearance is made by risk.services.assess_checkout alone")

    def require(self, site_id: int) -> None:
        """Raise when this clearance was given for another site: a defect."""
        if self.site_id != site_id:
            raise ValueError("the clearance is for another site")


def grant(*, site_id: int, actor: str, ip: str) -> Clearance:
    """Make a clearance; for `risk.services` alone."""
    return Clearance(site_id=site_id, actor=actor, ip=ip, seal=_SEAL)
