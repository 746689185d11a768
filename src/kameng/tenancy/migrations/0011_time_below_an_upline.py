from django.db import migrations

# A site that moved below an upline kept its own end, which nobody could prolong there.
END = """
select set_config('app.platform', 'on', true);
update tenancy_siteterm t set replaced_at = now() from tenancy_site s
 where s.id = t.site_id and s.upline_id is not null and t.replaced_at is null;
update tenancy_site set expires_at = null, lapses_at = null
 where upline_id is not null and (expires_at is not null or lapses_at is not null);
select set_config('app.platform', '', true);
"""


class Migration(migrations.Migration):
    """Let child sites sell for as long as their upline does, as those do that move from now on."""

    dependencies = [("tenancy", "0010_time_taken_back")]
    operations = [migrations.RunSQL(END, migrations.RunSQL.noop)]
