"""The calendar of work that no app schedules for itself: mail, and sweeping what has ended."""

from procrastinate.contrib.django import app

from kameng.accounts import tasks as accounts
from kameng.messaging import tasks as messaging
from kameng.pages import tasks as pages
from kameng.pages.letterheads import dress_mail
from kameng.payments import tasks as payments
from kameng.risk import tasks as risk
from kameng.tenancy import tasks as tenancy


@app.periodic(cron="* * * * * */5")
@app.task(queue="mail", queueing_lock="deliver_emails")
def deliver_emails(timestamp: int) -> None:
    """Send the e-mails that are due, each in the look of its shop."""
    messaging.deliver_emails(dress_mail)


@app.periodic(cron="* * * * * */5")
@app.task(queue="mail", queueing_lock="publish_pages")
def publish_pages(timestamp: int) -> None:
    """Publish the pages whose time has come."""
    pages.publish_pages()


@app.periodic(cron="* * * * * */10")
@app.task(queue="slow", queueing_lock="check_domains", lock="check_domains")
def check_domains(timestamp: int) -> None:
    """Look at the own domains of sites whose look is due."""
    tenancy.check_domains()


@app.periodic(cron="*/10 * * * *")
@app.task(queue="hot", queueing_lock="sweep")
def sweep(timestamp: int) -> None:
    """Delete ended sessions, codes, counters, old mail and old refused callbacks."""
    accounts.sweep()
    risk.sweep()
    messaging.sweep()
    payments.sweep()
