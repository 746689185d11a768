from django.db import migrations

# Refunds of plans took no time back before tenancy.0010; what they left stays, and is not taken again.
NOTE = """
select set_config('app.platform', 'on', true);
update tenancy_siteterm t set refunded_at = coalesce(o.closed_at, now()) from orders_order o
 where o.id = t.order_id and o.state in (6, 7) and t.refunded_at is null;
select set_config('app.platform', '', true);
"""


class Migration(migrations.Migration):
    """Say of terms whose order was refunded already that it was: I30 holds that both agree."""

    dependencies = [
        ("orders", "0010_orders_by_moment"),
        ("tenancy", "0010_time_taken_back"),
    ]
    operations = [migrations.RunSQL(NOTE, migrations.RunSQL.noop)]
