"""The demo's goods: brought in by the product import, then dressed as an operator would.

The import makes each product with its first face value; shelves get their icons, pages their
texts, and the other face values are added by the services behind the console's forms.
"""

from django.db import transaction

from kameng.catalog.drafts import CategoryDraft, ProductDraft, VariantDraft
from kameng.catalog.models import Category, ImportState, Product, Variant
from kameng.catalog.services.editing import (
    add_variant,
    update_category,
    update_product,
    update_variant,
)
from kameng.catalog.services.importing import confirm_product_import, start_product_import
from kameng.config.demo.files import DemoFiles, FaceValue, Goods
from kameng.core.audit import Actor
from kameng.inventory.services.levels import set_stock_level

COUNTED = {"店铺 Logo 设计": 6, "PPT 美化": 0, "网站备案 资料指导": 12}  # pieces, per face value


def import_products(files: DemoFiles, *, actor: Actor) -> int:
    """Bring the list of products into the main site, whose scope is in force; return the import."""
    job = start_product_import([files.products_file], filename="products.csv", actor=actor)
    if job.state != ImportState.DRAFT or job.problem_count:
        raise ValueError(f"the demo's product list has problems: {job.problems[:3]}")
    done = confirm_product_import(job.id, actor=actor)
    if done.created_count != len(files.goods):
        raise ValueError(f"{done.created_count} of {len(files.goods)} demo products came in")
    return done.id


def dress_products(files: DemoFiles, *, actor: Actor) -> None:
    """Give shelves, pages and face values what the list of products does not say."""
    with transaction.atomic():
        for name, icon, position in files.categories:
            category = Category.objects.get(name=name)
            draft = CategoryDraft(name=name, icon=icon, position=position)
            update_category(category.id, draft=draft, actor=actor)
        for product in Product.objects.order_by("id"):
            _dress(product, files.goods[product.code], actor=actor)


def count_services(*, actor: Actor) -> None:
    """Limit what people at work can take on: some services have few places left, one has none."""
    for title, count in COUNTED.items():
        for variant_id in Variant.objects.filter(product__title=title).values_list("id", flat=True):
            set_stock_level(variant_id, available_count=count, actor=actor)


def _dress(product: Product, goods: Goods, *, actor: Actor) -> None:
    text = goods.text
    draft = ProductDraft(
        category_id=product.category_id,
        code=product.code,
        title=product.title,
        delivery_kind=product.delivery_kind,
        brand=product.brand,
        summary=product.summary or product.description[:120],
        description=text.description,
        tutorial=text.tutorial,
        after_sale=text.after_sale,
        input_fields=text.fields,
        max_quantity=text.max_quantity,
        tags=text.tags,
        weight=goods.heat,
    )
    update_product(product.id, draft=draft, actor=actor)
    first, *others = goods.face_values
    variant = Variant.objects.get(product_id=product.id)
    if (variant.name, variant.face_amount) != (first.name, first.face_amount):
        update_variant(variant.id, draft=_variant_draft(first, position=0), actor=actor)
    for position, face_value in enumerate(others, start=1):
        add_variant(product.id, draft=_variant_draft(face_value, position=position), actor=actor)


def _variant_draft(face_value: FaceValue, *, position: int) -> VariantDraft:
    return VariantDraft(
        name=face_value.name,
        cost_amount=face_value.cost_amount,
        list_amount=face_value.list_amount,
        face_amount=face_value.face_amount,
        position=position,
    )
