import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

# What is known of buyers, anew: days and months, in all four ways.
FILL = """
    insert into insight_buyertotal (site_id, span, rank, grain, prev_grain, day, prev_day, is_guest,
                                    buyer_count)
    select g.site_id, g.span, e.rank, d.grain, p.grain, d.day, p.day, b.is_guest, count(*)
      from insight_buyerday b join insight_shopclock k on k.site_id = b.site_id,
           lateral (values (b.site_id, 1), (k.main_site_id, 2)) g(site_id, span),
           lateral (values (0, date '1900-01-01', true), (1, b.prev_day, true),
                           (2, b.second_day, true), (2, b.prev_day, b.order_count > 1))
                   e(rank, prev_day, is_in),
           lateral (values (1, b.day), (2, date_trunc('month', b.day)::date)) d(grain, day),
           lateral (values (1, e.prev_day), (2, date_trunc('month', e.prev_day)::date)) p(grain, day)
     where e.is_in group by 1, 2, 3, 4, 5, 6, 7, 8
"""
# The days on which uplines got something of their child sites' sales are computed again.
MARK = """
    insert into insight_dirtyday (site_id, day)
        select distinct k.site_id, (o.paid_at at time zone k.zone)::date
          from orders_order o join insight_shopclock k on k.site_id = o.upline_site_id
         where o.paid_at < (select rolled_until from insight_mark)
        on conflict (site_id, day) do nothing
"""


class Migration(migrations.Migration):

    dependencies = [
        ('insight', '0002_roll_ups'),
        ('orders', '0010_orders_by_moment'),
        ('tenancy', '0006_leaving_and_licences'),
    ]

    operations = [
        migrations.AddField(
            model_name='salestotal',
            name='below_amount',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.DeleteModel(
            name='BuyerTotal',
        ),
        migrations.CreateModel(
            name='BuyerTotal',
            fields=[
                ('pk', models.CompositePrimaryKey('site', 'span', 'rank', 'grain', 'prev_grain', 'day', 'prev_day', 'is_guest', blank=True, editable=False, primary_key=True, serialize=False)),
                ('span', models.SmallIntegerField()),
                ('rank', models.SmallIntegerField()),
                ('grain', models.SmallIntegerField()),
                ('prev_grain', models.SmallIntegerField()),
                ('day', models.DateField()),
                ('prev_day', models.DateField()),
                ('is_guest', models.BooleanField()),
                ('buyer_count', models.BigIntegerField()),
                ('site', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.site')),
            ],
            options={
                'abstract': False,
                'base_manager_name': '_all',
                'indexes': [models.Index(fields=['site', 'span', 'rank', 'grain', 'prev_grain', 'prev_day', 'day'], name='insight_buyers_by_prev')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('_all', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(FILL + ";" + MARK, migrations.RunSQL.noop),
    ]
