from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0003_callback_nonces'),
    ]

    operations = [
        migrations.AddField(
            model_name='gateway',
            name='fee_bearer',
            field=models.SmallIntegerField(choices=[(0, '本站承担'), (1, '买家承担')], db_default=0, default=0),
        ),
    ]
