"""E-mail by SMTP (RFC 5321), the server named by KAMENG_MAIL_HOST."""
