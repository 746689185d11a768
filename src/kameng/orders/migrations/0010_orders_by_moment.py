import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0009_free_plans'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='order',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['paid_at'], name='orders_by_moment', pages_per_range=32),
        ),
    ]
