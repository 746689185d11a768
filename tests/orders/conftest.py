"""A shop with six keys on site A, for tests that need no races."""

import pytest

from kameng.catalog.selectors import forget_catalogues
from kameng.tenancy.models import Site
from tests.concurrency.shop import Shop, open_shop


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    """Site A sells one variant of the main site, six keys in stock, through one gateway."""
    forget_catalogues()  # a rolled back test gives its versions to the next one
    return open_shop(main_site, site_a, keys=6)
