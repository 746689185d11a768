from django.db import migrations

DROP = "drop index if exists payments_payment_payment_no_244971bd_like"
CREATE = (
    "create index if not exists payments_payment_payment_no_244971bd_like"
    " on payments_payment (payment_no varchar_pattern_ops)"
)


class Migration(migrations.Migration):
    """Drop the second index that Django makes for a unique text.

    It is for searches by prefix, and numbers of payments are looked up whole. Each payment pays for
    it when it is opened, and again when it is made.
    """

    dependencies = [("payments", "0010_dispute_evidence")]
    operations = [migrations.RunSQL(DROP, CREATE)]
