"""The checks of `kameng audit` on sub-sites' own goods."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows


def own_goods() -> Iterator[str]:
    """I43: own goods of a sub-site are sold by it alone, owe a whole share a piece to the main
    site, and are delivered from its own keys; what was taken down is not on sale."""
    for row in read_rows(
        """
        select o.order_no, o.site_id, p.site_id, o.main_site_id
          from catalog_product p join orders_order o on o.product_id = p.id
         where p.site_id <> (select id from tenancy_site where kind = 1)
           and (o.site_id <> p.site_id
                or o.main_site_id <> (select id from tenancy_site where kind = 1))
        """
    ):
        yield (
            f"order {row[0]} of site {row[1]}: own goods of site {row[2]}, owed to site {row[3]}"
        )
    for row in read_rows(
        """
        select o.order_no, o.wholesale_amount, o.quantity, o.unit_amount
          from catalog_product p join orders_order o on o.product_id = p.id
         where p.site_id <> (select id from tenancy_site where kind = 1)
           and (mod(o.wholesale_amount, o.quantity) <> 0
                or o.wholesale_amount > o.unit_amount * o.quantity)
        """
    ):
        yield f"order {row[0]}: a share of {row[1]} for {row[2]} pieces at {row[3]}"
    for row in read_rows(
        """
        select v.id, v.site_id, p.site_id, c.site_id
          from catalog_variant v join catalog_product p on p.id = v.product_id
          join catalog_category c on c.id = p.category_id
         where v.site_id <> p.site_id
            or c.site_id not in (p.site_id, (select id from tenancy_site where kind = 1))
        """
    ):
        yield f"variant {row[0]} of site {row[1]}: product of {row[2]} on a shelf of {row[3]}"
    for row in read_rows(
        """
        select id, site_id from catalog_product
         where delivery_kind = 4 and site_id <> (select id from tenancy_site where kind = 1)
        """
    ):
        yield f"product {row[0]} of site {row[1]} opens sites"
    for row in read_rows(
        """
        select k.id, k.site_id, v.site_id
          from inventory_cardkey k join catalog_variant v on v.id = k.variant_id
         where k.site_id <> v.site_id
        """
    ):
        yield f"card key {row[0]} of site {row[1]}: stands for goods of site {row[2]}"
