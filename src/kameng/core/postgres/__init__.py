"""Django's PostgreSQL backend, plus: every statement runs under the scope in force.

Row-level security reads three session settings (app.site, app.reads, app.platform). Setting
them per request leaks to the next user of a pooled connection; here they are compared with the
scope before *each* statement, so a connection can never speak for another site.
"""
