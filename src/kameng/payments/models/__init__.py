"""Tables of payments, by subject; everyone imports them from here, whatever file holds them."""

from kameng.payments.models.attempts import (
    CallbackNonce,
    Payment,
    PaymentState,
    Proof,
    Purpose,
    RejectedCallback,
    Shortfall,
    ShortfallState,
)
from kameng.payments.models.disputes import (
    Dispute,
    DisputeEvidence,
    DisputeState,
    EvidenceState,
)
from kameng.payments.models.gateways import (
    FeeBearer,
    Gateway,
    GatewayDay,
)
from kameng.payments.models.prepaid import (
    PrepaidIn,
    PrepaidSource,
    PrepaidWatch,
)
from kameng.payments.models.refunds import (
    GatewayRefund,
    RefundState,
)
from kameng.payments.models.top_ups import (
    Bonus,
    BonusRule,
    ReturnState,
    TopUp,
    TopUpReturn,
)

__all__ = [
    "Bonus",
    "BonusRule",
    "CallbackNonce",
    "Dispute",
    "DisputeEvidence",
    "DisputeState",
    "EvidenceState",
    "FeeBearer",
    "Gateway",
    "GatewayDay",
    "GatewayRefund",
    "Payment",
    "PaymentState",
    "PrepaidIn",
    "PrepaidSource",
    "PrepaidWatch",
    "Proof",
    "Purpose",
    "RefundState",
    "RejectedCallback",
    "ReturnState",
    "Shortfall",
    "ShortfallState",
    "TopUp",
    "TopUpReturn",
]
