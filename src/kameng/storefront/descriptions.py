"""What the shop's JSON addresses take and give, for /openapi.json."""

from typing import Final

from kameng.web.api import TEXT, WHOLE, Operation, Parameter, Schema, describe

ORDER_NO: Final = Parameter(
    name="order_no", place="path", schema={"type": "string", "pattern": "^[0-9]{6,32}$"}
)
PRODUCT_ID: Final = Parameter(
    name="product_id", place="path", schema={"type": "integer", "minimum": 1}
)
TOKEN: Final = Parameter(
    name="t",
    place="query",
    schema={"type": "string", "maxLength": 64},
    description="The token of the order's link; its signed-in owner needs none.",
)
SHOWN: Final = Parameter(
    name="s",
    place="query",
    schema=TEXT,
    description="The state that the page shows; another one gives next_url.",
)
RETURNED: Final = Parameter(
    name="r",
    place="query",
    schema=TEXT,
    description="The buyer came back from the gateway; reload tells that the amount was wrong.",
)
STATE: Final[Schema] = {
    "type": "object",
    "required": ["state", "reload", "url"],
    "properties": {
        "state": TEXT,
        "reload": {"type": "boolean"},
        "url": TEXT,
        "next_url": TEXT,
    },
}
SUGGESTIONS: Final[Schema] = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["url", "title", "image_url", "price"],
                "properties": dict.fromkeys(("url", "title", "image_url", "price"), TEXT),
            },
        }
    },
}
STOCK: Final[Schema] = {
    "type": "object",
    "required": ["variants"],
    "properties": {
        "variants": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "level", "most", "text"],
                "properties": {
                    "id": WHOLE,
                    "level": {"enum": ["out", "low", "enough"]},
                    "most": {"type": ["integer", "null"]},
                    "text": TEXT,
                },
            },
        }
    },
}
ORDER_FORM: Final[Schema] = {
    "type": "object",
    "required": ["variant", "quantity", "pay", "idempotency_key", "agree"],
    "properties": {
        "variant": {"type": "integer", "minimum": 1},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 1000},
        "pay": {"type": "string", "description": "wallet, or the id of a gateway"},
        "contact": {"type": "string", "description": "e-mail or phone; a guest must give one"},
        "idempotency_key": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$"},
        "shown_total": {"type": "string", "description": "yuan, as the buyer saw it"},
        "agree": {"enum": ["1"]},
    },
    "additionalProperties": {
        "type": "string",
        "description": "field_<name> for each thing that the product asks for",
    },
}
PLACED: Final[Schema] = {
    "type": "object",
    "required": ["order_no", "state", "url"],
    "properties": {"order_no": TEXT, "state": TEXT, "url": TEXT},
}


def describe_addresses() -> None:
    """Put the shop's JSON addresses on the list."""
    typed = Parameter(name="q", place="query", schema={"type": "string", "maxLength": 60})
    describe(
        Operation(
            path="/suggest/",
            method="get",
            summary="A few products while someone types",
            parameters=(typed,),
            answer=SUGGESTIONS,
            statuses=(400,),
        )
    )
    describe(
        Operation(
            path="/p/{product_id}/stock/",
            method="get",
            summary="How much there is of a product's variants",
            parameters=(PRODUCT_ID,),
            answer=STOCK,
            statuses=(400, 404),
        )
    )
    describe(
        Operation(
            path="/pay/{order_no}/status/",
            method="get",
            summary="Where an order stands",
            parameters=(ORDER_NO, TOKEN, SHOWN, RETURNED),
            answer=STATE,
            statuses=(400, 404),
        )
    )
    describe(
        Operation(
            path="/checkout/",
            method="post",
            summary="Place an order; 201, and the same answer for the same key",
            form=ORDER_FORM,
            answer=PLACED,
            statuses=(400, 401, 402, 403, 404, 409, 429),
        )
    )
