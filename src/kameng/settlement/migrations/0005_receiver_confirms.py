"""Payouts that their receiver confirms: the secret moves out of the reason, which people read."""

from django.db import migrations, models

# What stood there was cut short and opens nothing: the gateway is asked for it again.
FORGET = """
select set_config('app.platform', 'on', true);
update settlement_withdrawal set reason = 'WAIT_USER_CONFIRM' where reason ~ '^WAIT_USER_CONFIRM ';
select set_config('app.platform', '', true);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0004_forget_receivers'),
        ('tenancy', '0002_settlement_way'),
    ]

    operations = [
        migrations.AddField(
            model_name='withdrawal',
            name='confirm_cipher',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='confirm_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
    ]
