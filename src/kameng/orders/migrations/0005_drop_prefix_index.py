from django.db import migrations

DROP = "drop index if exists orders_order_order_no_ac790d02_like"
CREATE = (
    "create index if not exists orders_order_order_no_ac790d02_like"
    " on orders_order (order_no varchar_pattern_ops)"
)


class Migration(migrations.Migration):
    """Drop the second index that Django makes for a unique text.

    It is for searches by prefix, and numbers of orders are looked up whole. Each order pays for it
    when it is placed, and again when it is paid.
    """

    dependencies = [("orders", "0004_first_payment")]
    operations = [migrations.RunSQL(DROP, CREATE)]
