"""Properties are about numbers: a busy machine must not fail them by the clock."""

from hypothesis import HealthCheck, settings

settings.register_profile("arithmetic", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("arithmetic")
