"""How many small damages to the code of money the tests notice.

Run from the root of the repository: `python -m tools.mutation [SLICE …]`, or `make mutation`. A
slice is a set of modules, or of functions in them, with the tests that answer for them. mutmut
damages function bodies one at a time; tables at the top of a module, which it leaves alone, are
damaged here, one cell at a time. A damage counts as noticed only when a test fails: running out of
time does not. Each slice works on a copy under var/mutation; the tree itself is never touched.
"""

import argparse
import contextlib
import fnmatch
import importlib
import importlib.metadata
import itertools
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tools.layers import ROOT

WORK: Final = ROOT / "var" / "mutation"
FLOOR_PERCENT: Final = 85
KILLED: Final = (1, 3)  # a test failed; pytest itself broke under the damage
COPIED: Final = ("src", "tests", "tools", "docs", "README.md")
PROVIDERS: Final = "src/kameng/payments/providers"


CONTRACT: Final = "tests/providers/test_contract.py"
# The tests of the contract that need no simulator and are about a callback's signature.
SIGNED: Final = (
    "test_genuine_callback_is_read_whole",
    "test_the_same_callback_always_reads_the_same",
    "test_callback_without_a_good_signature_is_rejected",
    "test_no_signed_field_can_be_changed_dropped_or_added",
    "test_signature_under_another_key_is_rejected",
    "test_callback_of_another_merchant_is_rejected_though_signed",
    "test_bad_payment_numbers_are_rejected",
    "test_unpaid_status_is_no_payment",
)
FORMS: Final = (
    "test_doubled_fields_and_arrays_are_rejected",
    "test_value_that_could_be_cut_in_two_ways_is_rejected",
    "test_oversized_and_empty_callbacks_are_rejected",
)


def name_contract(kind: str, tests: tuple[str, ...] = SIGNED) -> tuple[str, ...]:
    """Return the tests of the contract for one kind of gateway."""
    return tuple(f"{CONTRACT}::{test}[{kind}]" for test in tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What is damaged and by which tests it is judged.

    `functions` names mutants of a module by a pattern after the module's name; a module that it
    does not name is damaged whole. `tables` are sets, or dictionaries of sets, of a module.
    `skipped` tests would start a server for every damage.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: tuple[tuple[str, str], ...] = ()
    skipped: tuple[str, ...] = ()

    def patterns(self) -> list[str]:
        """Return the patterns of the names of the mutants that count."""
        return [
            f"{name_module(module)}.{each}"
            for module in self.modules
            for each in self.functions.get(module, ("*",))
        ]


SLICES: Final[Mapping[str, Slice]] = {
    "amount": Slice(
        modules=("src/kameng/pricing/money.py", "src/kameng/pricing/margins.py"),
        tests=("tests/pricing/test_money.py", "tests/pricing/test_margins.py"),
    ),
    "state": Slice(
        modules=(
            "src/kameng/orders/rules.py",
            "src/kameng/payments/rules.py",
            "src/kameng/settlement/rules.py",
        ),
        tests=(
            "tests/orders/test_rules.py",
            "tests/payments/test_rules.py",
            "tests/payments/test_rules_of_top_ups.py",
            "tests/settlement/test_rules.py",
        ),
        tables=(
            ("kameng.orders.rules", "ALLOWED"),
            ("kameng.orders.rules", "PAID_STATES"),
            ("kameng.payments.rules", "ACCEPTED"),
            ("kameng.settlement.rules", "ALLOWED"),
            ("kameng.settlement.rules", "OPEN_STATES"),
            ("kameng.settlement.rules", "COUNTED_STATES"),
            ("kameng.settlement.rules", "SPLIT_ALLOWED"),
        ),
    ),
    "permission": Slice(
        modules=("src/kameng/accounts/rules.py", "src/kameng/accounts/people.py"),
        tests=("tests/accounts/test_rules.py", "tests/accounts/test_people.py"),
        tables=(("kameng.accounts.rules", "ROLE_PERMISSIONS"),),
    ),
    "decoding": Slice(
        modules=(f"{PROVIDERS}/decoding.py",),
        tests=("tests/providers/test_decoding.py", *name_contract("epay", FORMS)),
    ),
    "epay": Slice(
        modules=(f"{PROVIDERS}/epay/wire.py",),
        functions={
            f"{PROVIDERS}/epay/wire.py": (
                "x_sign_fields__*",
                "x_has_valid_signature__*",
                "x__add_signature__*",
                "x_parse_callback__*",
            )
        },
        tests=("tests/providers/test_epay_wire.py", *name_contract("epay")),
    ),
    "epay2": Slice(
        modules=(f"{PROVIDERS}/epay2/wire.py",),
        functions={
            f"{PROVIDERS}/epay2/wire.py": (
                "x_join_fields__*",
                "x_has_valid_signature__*",
                "x_is_fresh__*",
                "x_sign_fields__*",
                "x_parse_callback__*",
                "x_read_reply__*",
            )
        },
        tests=("tests/providers/test_epay2_wire.py", *name_contract("epay2")),
    ),
    "alipay": Slice(
        modules=(f"{PROVIDERS}/alipay/wire.py", f"{PROVIDERS}/alipay/certificates.py"),
        functions={
            f"{PROVIDERS}/alipay/wire.py": (
                "x_sign_text__*",
                "x_has_valid_signature__*",
                "x_join_fields__*",
                "x_build_fields__*",
                "x__name_certificates__*",
                "x_parse_callback__*",
                "x_read_reply__*",
                "x_split_reply__*",
                "x_learn_certificate__*",
            )
        },
        tests=(
            "tests/providers/test_alipay_wire.py",
            "tests/providers/test_alipay_certificates.py",
            *name_contract("alipay"),
            *name_contract("alipay_cert"),
        ),
        skipped=tuple(
            f"tests/providers/test_alipay_certificates.py::{test}"
            for test in (
                "test_a_changed_certificate_is_fetched_once_and_callbacks_are_read_again",
                "test_a_changed_certificate_that_cannot_be_fetched_leaves_the_answer_open",
                "test_account_that_names_other_certificates_is_turned_away",
            )
        ),
    ),
    "wechat": Slice(
        modules=(f"{PROVIDERS}/wechat/signing.py", f"{PROVIDERS}/wechat/wire.py"),
        functions={
            f"{PROVIDERS}/wechat/wire.py": (
                "x_build_request__*",
                "x_read_answer__*",
                "x_sign_bridge__*",
                "x_parse_callback__*",
                "x_open_callback__*",
            )
        },
        tests=(
            "tests/providers/test_wechat_signing.py",
            "tests/providers/test_wechat_wire.py",
            *name_contract("wechat"),
        ),
    ),
    "stripe": Slice(
        modules=(f"{PROVIDERS}/stripe/webhook.py",),
        functions={f"{PROVIDERS}/stripe/webhook.py": ("x_parse__*", "x_has_valid_signature__*")},
        tests=("tests/providers/test_stripe_wire.py", *name_contract("stripe")),
    ),
    "unionpay": Slice(
        modules=(f"{PROVIDERS}/unionpay/wire.py", f"{PROVIDERS}/unionpay/certificates.py"),
        functions={
            f"{PROVIDERS}/unionpay/wire.py": (
                "x_join_fields__*",
                "x_sign_fields__*",
                "x_has_valid_signature__*",
                "x__find_fault__*",
                "x_parse_callback__*",
                "x__require_fen__*",
                "x_read_reply__*",
                "x__split_reply__*",
            )
        },
        tests=(
            "tests/providers/test_unionpay_certificates.py",
            "tests/providers/test_unionpay_wire.py",
            *name_contract("unionpay"),
        ),
    ),
}


@dataclass(slots=True)
class Count:
    """The damages of one file or table: how many, and those that no test noticed."""

    total: int = 0
    survivors: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """How many were noticed."""
        return self.total - len(self.survivors)

    @property
    def percent(self) -> float:
        """The score; nothing to damage is no score at all."""
        return 100 * self.killed / self.total if self.total else 0.0

    def add(self, name: str, *, is_killed: bool) -> None:
        """Count one more."""
        self.total += 1
        if not is_killed:
            self.survivors.append(name)


def name_module(path: str) -> str:
    """Return the dotted name of a source file."""
    return path.removeprefix("src/").removesuffix(".py").replace("/", ".")


Cell = tuple[str, str, Any, Any]
"""Module, table, row, member."""


def install_mutmut() -> None:
    """Bring the pinned mutmut into the virtual environment; it is in no other set-up."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = project["optional-dependencies"]["mutation"]
    name, _, version = wanted.partition("==")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        if importlib.metadata.version(name) == version:
            return
    command = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted)
    subprocess.run([sys.executable, *command], check=True)


def prepare(name: str, chosen: Slice) -> Path:
    """Make the folder of a slice with its own configuration and links to the sources."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for each in COPIED:
        (folder / each).symlink_to(ROOT / each)
    skipped = [f"--deselect={each}" for each in chosen.skipped]
    settings = {
        "source_paths": list(chosen.modules),
        "also_copy": list(COPIED),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", *skipped],
        "pytest_add_cli_args_test_selection": list(chosen.tests),
        "use_git_change_detection": False,
    }
    # JSON writes text, booleans and lists of text as TOML does.
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    own = (ROOT / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text("\n".join([own, "[tool.mutmut]", *lines, ""]))
    return folder


def damage_functions(name: str, chosen: Slice) -> dict[str, Count]:
    """Run mutmut over a slice; return the counts by file."""
    folder = prepare(name, chosen)
    mutmut = Path(sys.executable).parent / "mutmut"
    log = folder / "mutmut.log"
    with log.open("w") as output:
        done = subprocess.run(
            [mutmut, "run", "--max-children", "1", *chosen.patterns()],
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        raise SystemExit(f"{name}: mutmut stopped; {log.relative_to(ROOT)} says why")
    counts: dict[str, Count] = {}
    for module in chosen.modules:
        found = json.loads((folder / "mutants" / f"{module}.meta").read_text())
        count = counts[module] = Count()
        for key, code in found["exit_code_by_key"].items():
            if any(fnmatch.fnmatchcase(key, pattern) for pattern in chosen.patterns()):
                count.add(key, is_killed=code in KILLED)
    return counts


def damage_tables(chosen: Slice) -> dict[str, Count]:
    """Flip each cell of each table of a slice and run its tests; return the counts by table."""
    counts: dict[str, Count] = {}
    if not chosen.tables:
        return counts
    cells = [
        (module, table, row, member)
        for module, table in chosen.tables
        for row, member in list_cells(module, table)
    ]
    codes = judge(chosen, cells)
    for module, table, row, member in cells:
        count = counts.setdefault(f"{module}.{table}", Count())
        code = codes[module, table, row, member]
        count.add(f"{module}.{table}[{row!r}] {member!r}", is_killed=code in KILLED)
    return counts


def list_cells(module: str, table: str) -> Iterator[tuple[Any, Any]]:
    """Yield row and member of each cell: for a plain set, the row is None.

    The members are all of the enumeration, or of the set `PERMISSIONS`, that the table is about.
    """
    source = importlib.import_module(module)
    value = getattr(source, table)
    rows: Sequence[Any] = list(value) if isinstance(value, dict) else [None]
    one = next(iter(set().union(*value.values()) if isinstance(value, dict) else value))
    members = sorted(source.PERMISSIONS) if isinstance(one, str) else list(type(one))
    yield from itertools.product(rows, members)


def flip(cell: Cell) -> None:
    """Turn one cell of a table of this process the other way round."""
    module, table, row, member = cell
    old = getattr(importlib.import_module(module), table)
    if isinstance(old, dict):
        old[row] ^= {member}
        return
    for user in list(sys.modules.values()):  # whoever imported the set by its name
        if getattr(user, table, None) is old:
            setattr(user, table, old ^ {member})


class Damage:
    """A plugin of pytest: the collected tests are run once a cell, each time in a child."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.codes: dict[Cell | None, int] = {}
        self.is_child = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        """Fork once a cell, first without any; a child goes on to the tests."""
        for cell in (None, *self.cells):
            child = os.fork()
            if child == 0:  # what is damaged dies with this process
                self.is_child = True
                if cell is not None:
                    flip(cell)
                return None
            _, status = os.waitpid(child, 0)
            self.codes[cell] = os.waitstatus_to_exitcode(status)
        return True


def judge(chosen: Slice, cells: Sequence[Cell]) -> dict[Cell | None, int]:
    """Run the tests of a slice under each damage, silently; return pytest's code of each."""
    damage, screen = Damage(cells), os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *chosen.tests], plugins=[damage])
        if damage.is_child:
            os._exit(code)
        os.dup2(screen, 1)
        os.close(screen)
    if damage.codes.get(None) != 0:
        raise SystemExit("the tests of the slice fail without any damage")
    return damage.codes


def report(name: str, counts: Mapping[str, Count]) -> bool:
    """Print the table of a slice; return whether it reaches the floor."""
    whole = Count()
    for title, count in counts.items():
        print(f"  {title:<58}{count.killed:>5} of {count.total:<5}{count.percent:6.1f} %")
        whole.total += count.total
        whole.survivors += count.survivors
    print(f"{name:<60}{whole.killed:>5} of {whole.total:<5}{whole.percent:6.1f} %", flush=True)
    for survivor in whole.survivors:
        print(f"    not noticed: {survivor}")
    return whole.percent >= FLOOR_PERCENT


def main() -> int:
    """Damage the slices named (all by default); return 1 when one stays under the floor."""
    parser = argparse.ArgumentParser(description="Measure which damages the tests notice.")
    parser.add_argument("slices", nargs="*", metavar="SLICE", help=", ".join(SLICES))
    wanted = parser.parse_args().slices or list(SLICES)
    unknown = sorted(set(wanted) - set(SLICES))
    if unknown:
        parser.error(f"no such slice: {', '.join(unknown)}")
    install_mutmut()
    reached = [
        report(name, {**damage_functions(name, SLICES[name]), **damage_tables(SLICES[name])})
        for name in wanted
    ]
    return int(not all(reached))


if __name__ == "__main__":
    sys.exit(main())
