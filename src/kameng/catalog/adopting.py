"""How a row of an owner's list becomes a product: what is taken over, guessed and held back.

Owns these decisions and the sentences that explain them. Promises that goods which would be sold at
a loss, for nothing or out of an empty shelf come in unlisted, and that the same row always gives
the same product.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from kameng.catalog.drafts import ProductDraft, VariantDraft, check_product, check_variant
from kameng.catalog.errors import FieldInvalid
from kameng.catalog.inputs import InputField, InputKind
from kameng.catalog.models import DeliveryKind
from kameng.catalog.parsing import PROBLEM_TEXT, DeliveryWord, ProductRow, comparable_name
from kameng.core.problems import Problem, gettext_noop
from kameng.pricing.money import MAX_AMOUNT, Amount, MoneyInvalid, format_yuan, parse_yuan

ADOPTING_TEXT: Final = PROBLEM_TEXT | {
    "stock_none": gettext_noop("库存为 0，导入后保持下架。"),
    "raised_to_cost": gettext_noop(
        "售价低于进货价，按进货价 %(cost)s 元导入并保持下架，请核对后再上架。"
    ),
    "field_invalid": gettext_noop("“%(label)s”%(reason)s"),
    "several_variants": gettext_noop("这个商品有几个规格，无法判断改哪一个，请在商品页修改。"),
    "own_goods_not_in_plan": gettext_noop("您的套餐不含自营商品，不能导入新的商品。"),
    "own_goods_too_many": gettext_noop("一个店最多保存 %(most)s 个自营商品（含已下架的）。"),
    "own_goods_full": gettext_noop("套餐的在售名额已满，导入后保持下架。"),
    "word_refused": gettext_noop(
        "“%(word)s”属于平台禁止销售的内容（%(group)s），不会上架，也不会改名。"
    ),
    "upload_missing": gettext_noop("上传的文件已不存在或已损坏，请重新上传。"),
    "no_name_column": gettext_noop("没有找到商品名称所在的列，请在上方选择。"),
    "too_many_products": gettext_noop("一次最多导入 %(limit)s 个商品，请拆成几个文件。"),
}
OTHER_CATEGORY: Final = gettext_noop("未分类")
STANDARD_VARIANT: Final = gettext_noop("标准")
_KINDS: Final = {
    DeliveryWord.AUTOMATIC: DeliveryKind.CARD,
    DeliveryWord.TOP_UP: DeliveryKind.TOP_UP,
    DeliveryWord.MANUAL: DeliveryKind.MANUAL,
}
_FACE: Final = re.compile(
    r"\d+(?:\.\d+)?\s*(?:元档|元|日元|美元|港币|欧元|点券|点|个月|个|天|年|GB|G|MB|台|张|杯|次)"
    r"|[年季月周]卡|×\s*\d+",
    re.IGNORECASE,
)
_YUAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*元档?")
_ASKED: Final = re.compile(r"(?:填写|提供|输入|留下)\s*([^，。；;,.!！（(\n]{1,40})")
_AND: Final = re.compile(r"[、/和及与+]|以及")
_POLITE: Final = re.compile(r"^(?:您|你)?的?(?:正确的)?|(?:即可|后下单)$")
_MOBILE_GOODS: Final = re.compile(r"话费|流量")
_MAX_ASKED: Final = 4
_KNOWN_INPUTS: Final = (
    (re.compile(r"手机|电话"), "phone", InputKind.PHONE, ""),
    (re.compile(r"邮箱|e-?mail", re.IGNORECASE), "email", InputKind.EMAIL, ""),
    (re.compile(r"qq", re.IGNORECASE), "qq", InputKind.TEXT, "[1-9][0-9]{4,11}"),
    (re.compile(r"uid", re.IGNORECASE), "uid", InputKind.TEXT, "[0-9]{5,20}"),
    (re.compile(r"大区|区服|服务器"), "region", InputKind.TEXT, ""),
    (re.compile(r"角色"), "role", InputKind.TEXT, ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A row made ready: checked drafts, whether it may be listed, and what was held against it.

    `said` names what the row itself states: an update takes only that over.
    """

    line_no: int
    said: frozenset[str]
    category: str
    product: ProductDraft
    variant: VariantDraft
    is_listed: bool
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionDefaults:
    """What a person chose for rows that do not say it."""

    category: str = ""
    delivery: DeliveryWord = DeliveryWord.AUTOMATIC


def adopt_row(row: ProductRow, *, defaults: AdoptionDefaults) -> Adopted | Problem:
    """Return the drafts of a row (the category still by name), or why it cannot come in."""
    kind = _KINDS[row.delivery or defaults.delivery]
    variant, is_listed, warnings = _price(row)
    if row.stock_count == 0 and kind != DeliveryKind.CARD:
        is_listed = False
        warnings.append(Problem(code="stock_none"))
    category = row.category or defaults.category or OTHER_CATEGORY
    product = ProductDraft(
        category_id=0,
        code=row.code or made_code(row.name),
        title=row.name,
        brand=row.brand,
        description=row.note,
        delivery_kind=kind,
        input_fields=guess_inputs(row, kind=kind),
    )
    try:
        if len(category) > 30:
            raise FieldInvalid(label=_("分类"), reason=_("太长，最多 30 个字。"))
        return Adopted(
            line_no=row.line_no,
            said=_said(row),
            category=category,
            product=check_product(product),
            variant=check_variant(variant),
            is_listed=is_listed,
            warnings=(*row.warnings, *warnings),
        )
    except FieldInvalid as refusal:
        params: dict[str, object] = {key: str(value) for key, value in refusal.params.items()}
        return Problem(code="field_invalid", params=params)


def made_code(name: str) -> str:
    """Return the code of goods whose list has none: the same name gives the same code."""
    digest = hashlib.blake2b(comparable_name(name).encode(), digest_size=5).hexdigest()
    return f"N{digest.upper()}"


def guess_inputs(row: ProductRow, *, kind: DeliveryKind) -> tuple[InputField, ...]:
    """Guess what a buyer fills in, from the note ("填写大区、角色ID") and the kind of goods."""
    if kind == DeliveryKind.CARD:
        return ()
    asked = _ASKED.search(row.note)
    labels = [_POLITE.sub("", part.strip()) for part in _AND.split(asked[1])] if asked else []
    labels = [label for label in labels if 0 < len(label) <= 12][:_MAX_ASKED]
    if not labels and kind == DeliveryKind.TOP_UP:
        is_mobile = _MOBILE_GOODS.search(f"{row.name} {row.category}")
        labels = ["手机号"] if is_mobile else ["充值账号"]
    fields = [_input_of(label, number) for number, label in enumerate(labels, start=1)]
    return tuple({field.name: field for field in fields}.values())


def face_of(row: ProductRow) -> tuple[str, Amount | None]:
    """Return the name of the variant and its face value in yuan, where the row shows them."""
    text = row.face_value or row.name
    found = _FACE.search(text)
    name = row.face_value[:40] or (found[0] if found else STANDARD_VARIANT)
    yuan = _YUAN.search(text)
    if yuan is None:
        return name, None
    try:
        amount = parse_yuan(yuan[1])
    except MoneyInvalid:
        return name, None
    return name, amount or None


def _said(row: ProductRow) -> frozenset[str]:
    stated = {
        "brand": row.brand,
        "category": row.category,
        "cost": row.cost_amount is not None,
        "list": row.list_amount,
        "face": face_of(row)[1],
    }
    return frozenset(name for name, value in stated.items() if value)


def _price(row: ProductRow) -> tuple[VariantDraft, bool, list[Problem]]:
    """Decide the two prices: an unknown cost is the price, an unknown price keeps goods back."""
    warnings: list[Problem] = []
    listed = row.list_amount or row.cost_amount or Amount(1)
    cost = listed if row.cost_amount is None else row.cost_amount
    is_listed = bool(row.list_amount)
    if listed < cost:
        warnings.append(Problem(code="raised_to_cost", params={"cost": format_yuan(cost)}))
        listed, is_listed = min(cost, MAX_AMOUNT), False
    name, face = face_of(row)
    variant = VariantDraft(name=name, cost_amount=cost, list_amount=listed, face_amount=face)
    return variant, is_listed, warnings


def _input_of(label: str, number: int) -> InputField:
    for pattern, name, kind, check in _KNOWN_INPUTS:
        if pattern.search(label):
            return InputField(name=name, label=label, kind=kind, pattern=check)
    return InputField(name="account" if number == 1 else f"field_{number}", label=label)
