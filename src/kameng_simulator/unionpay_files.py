"""The reconciliation files of the UnionPay that is played: records in a zip, GBK, fixed width.

Layout: 全渠道平台接入接口规范 part 3, 6.1 (ZM: the day's transactions) and 6.2 (ZME: its
corrections after disputes, a file only of days that have some). One space between the fields.
"""

import base64
import io
import time
import zipfile
import zlib
from collections.abc import Sequence

from kameng_simulator.moves import BillRow, Correction


def print_moment(moment: float) -> str:
    """Return YYYYMMDDhhmmss of Beijing."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(moment + 8 * 3600))


def render_files(
    rows: Sequence[BillRow],
    corrections: Sequence[tuple[Correction, str, str]] = (),
    *,
    mer_id: str,
    settle_date: str,
    year: int,
) -> tuple[str, str]:
    """Return the name and the content (zip, deflated, base64) of a settlement day.

    A correction comes with the trace number and the moment (MMDDhhmmss) of its payment.
    """
    records = "".join(_print_record(row, mer_id) + "\r\n" for row in rows)
    packed = io.BytesIO()
    day = f"{year % 100:02d}{settle_date}"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"INN{day}88ZM_{mer_id}", records.encode("gbk"))
        if corrections:
            errors = "".join(_print_correction(*each, mer_id) + "\r\n" for each in corrections)
            archive.writestr(f"INN{day}88ZME_{mer_id}", errors.encode("gbk"))
        archive.writestr(f"INN{day}88ZMSUM_{mer_id}", f"{len(rows)}\r\n".encode("gbk"))
    content = base64.b64encode(zlib.compress(packed.getvalue())).decode()
    return f"{mer_id}_{year}{settle_date}.zip", content


def _print_record(row: BillRow, mer_id: str) -> str:
    is_payment = row.kind == "payment"
    side = "D" if row.fee_fen >= 0 else "C"
    net_fen = row.amount_fen - row.fee_fen if is_payment else -(row.amount_fen + row.fee_fen)
    moved = print_moment(row.happened_at)[4:]
    fields: tuple[tuple[str, int], ...] = (
        ("S22" if is_payment else "S30", 3),  # transaction code
        ("00010000", 11),  # agent
        ("00010000", 11),  # sender
        ("000001", 6),  # trace number
        (moved, 10),
        ("622126******0000", 19),  # card
        (f"{row.amount_fen:012d}", 12),
        ("5816", 4),  # merchant category
        ("07", 2),  # terminal
        (row.external_no[:21], 21),  # queryId
        ("", 2),
        (row.own_no, 32),  # orderId
        ("01", 2),  # debit card
        ("", 6),
        ("", 10),
        (f"{side}{abs(row.fee_fen):012d}", 13),
        (f"{'C' if net_fen >= 0 else 'D'}{abs(net_fen):012d}", 13),
        ("0001", 4),
        ("", 15),
        ("01" if is_payment else "04", 2),  # txnType
        ("01" if is_payment else "00", 2),  # txnSubType
        ("000201", 6),
        ("01", 2),
        ("", 4),
        ("", 32),
        ("", 1),
        ("" if is_payment else row.trade_no[:21], 21),  # queryId of the payment
        (mer_id, 15),
        ("", 1),
        ("", 15),
        ("", 32),
        ("", 13),
        (f"{'C' if net_fen >= 0 else 'D'}{abs(net_fen):012d}", 13),
        ("", 8),
        ("", 32),
        ("", 13),
        ("", 13),
        ("", 12),
        ("", 2),
        ("", 1),
        ("" if is_payment else row.out_trade_no, 32),  # orderId of the payment
        ("", 98),
    )
    return " ".join(text.ljust(width) for text, width in fields)


def _print_correction(correction: Correction, trace_no: str, traced_at: str, mer_id: str) -> str:
    """Print a record of 6.2: it knows the payment by card and trace, by no number of the shop's."""
    side = "C" if correction.is_in else "D"
    fields: tuple[tuple[str, int], ...] = (
        ("E05" if correction.is_in else "E23", 3),  # transaction code
        ("00010000", 11),  # agent
        ("00010000", 11),  # sender
        (f"{correction.id % 1_000_000:06d}", 6),  # trace number of the correction itself
        (print_moment(correction.happened_at)[4:], 10),
        ("622126******0000", 19),  # card
        (f"{correction.amount_fen:012d}", 12),
        ("5816", 4),  # merchant category
        ("07", 2),  # terminal
        ("", 2),
        (trace_no, 6),  # of the payment
        (traced_at, 10),  # of the payment
        ("", 4),
        ("", 12),
        ("D000000000000", 13),  # fee
        (f"{side}{correction.amount_fen:012d}", 13),  # net sum
        ("", 15),
        (mer_id, 15),
        ("", 1),
        ("", 12),
        ("", 2),
        ("", 135),
    )
    return " ".join(text.ljust(width) for text, width in fields)
