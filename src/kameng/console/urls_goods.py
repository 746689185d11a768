"""Addresses of goods, prices, card keys, imports, gateways, sites, settings and the log."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import (
    audit_log,
    card_keys,
    categories,
    covers,
    gateways,
    goods,
    health,
    imports,
    my_plan,
    overview,
    own_goods,
    plans,
    price_table,
    prices,
    product_imports,
    settings,
    sites,
    variants,
)

goods_urls: list[URLPattern | URLResolver] = [
    path("goods/", goods.goods, name="goods"),
    path("goods/act/", goods.act_on_goods, name="act_on_goods"),
    path("goods/new/", goods.new_product, name="new_product"),
    path("goods/preview/", goods.preview_product, name="preview_product"),
    path("goods/price-preview/", variants.preview_variant, name="preview_variant"),
    path("goods/<int:product_id>/", goods.product, name="product"),
    path("goods/<int:product_id>/cover.svg", covers.product_cover, name="product_cover"),
    path("goods/<int:product_id>/listing/", goods.list_product, name="list_product"),
    path("goods/<int:product_id>/variants/new/", variants.new_variant, name="new_variant"),
    path("goods/<int:product_id>/variants/<int:variant_id>/", variants.variant, name="variant"),
    path(
        "goods/<int:product_id>/variants/<int:variant_id>/stock/",
        variants.set_stock,
        name="set_stock",
    ),
    path("own-goods/", own_goods.own_goods, name="own_goods"),
    path("own-goods/<int:product_id>/", own_goods.own_product, name="own_product"),
    path(
        "own-goods/<int:product_id>/judge/", own_goods.judge_own_product, name="judge_own_product"
    ),
    path("categories/", categories.categories, name="categories"),
    path("categories/new/", categories.new_category, name="new_category"),
    path("categories/<int:category_id>/", categories.category, name="category"),
    path(
        "categories/<int:category_id>/delete/", categories.remove_category, name="remove_category"
    ),
    path("prices/", prices.prices, name="prices"),
    path("prices/table/", price_table.price_table, name="price_table"),
    path("prices/rule/", prices.rule, name="price_rule"),
    path("prices/preview/", prices.preview, name="preview_rule"),
    path("prices/undo/", prices.undo_change, name="undo_rule"),
    path("prices/<int:rule_id>/delete/", prices.remove_rule, name="remove_rule"),
]
stock_urls: list[URLPattern | URLResolver] = [
    path("card-keys/", card_keys.card_keys, name="card_keys"),
    path("card-keys/import/", card_keys.key_imports, name="key_imports"),
    path("card-keys/import/<int:job_id>/", imports.key_import, name="key_import"),
    path("card-keys/import/<int:job_id>/act/", imports.run_key_import, name="run_key_import"),
    path("card-keys/find/", card_keys.find_key_page, name="find_key"),
    path("card-keys/variants/<int:variant_id>/", card_keys.variant_keys, name="variant_keys"),
    path("card-keys/batches/<int:batch_id>/", card_keys.card_batch, name="card_batch"),
    path("card-keys/batches/<int:batch_id>/move/", card_keys.move_batch, name="move_batch"),
    path("card-keys/<int:key_id>/", card_keys.card_key, name="card_key"),
    path("imports/products/", product_imports.product_imports, name="product_imports"),
    path("imports/products/<int:job_id>/", product_imports.product_import, name="product_import"),
    path(
        "imports/products/<int:job_id>/act/",
        product_imports.run_product_import,
        name="run_product_import",
    ),
    path("imports/<int:job_id>/progress/", imports.import_progress, name="import_progress"),
]
shop_urls: list[URLPattern | URLResolver] = [
    path("gateways/", gateways.gateways, name="gateways"),
    path("gateways/new/", gateways.new_gateway, name="new_gateway"),
    path("gateways/<int:gateway_id>/", gateways.gateway, name="gateway"),
    path("gateways/<int:gateway_id>/test/", gateways.prove_gateway, name="prove_gateway"),
    path("gateways/<int:gateway_id>/switch/", gateways.set_gateway, name="set_gateway"),
    path("settings/", settings.settings, name="settings"),
    path("settings/preview/", settings.preview_settings, name="preview_settings"),
    path("audit-log/", audit_log.audit_log, name="audit_log"),
    path("audit-log/<int:entry_id>/", audit_log.audit_entry, name="audit_entry"),
]
platform_urls: list[URLPattern | URLResolver] = [
    path("sites/", sites.sites, name="sites"),
    path("sites/new/", sites.new_site, name="new_site"),
    path("sites/children/", sites.allow_children, name="allow_children"),
    path("sites/<int:site_id>/upline/", sites.set_upline, name="set_upline"),
    path("sites/<int:site_id>/", sites.site_page, name="site"),
    path("sites/<int:site_id>/hosts/", sites.add_host, name="add_host"),
    path("sites/<int:site_id>/hosts/remove/", sites.remove_host, name="remove_host"),
    path("sites/<int:site_id>/settlement/", sites.set_way, name="set_way"),
    path("sites/<int:site_id>/state/", sites.set_state, name="set_state"),
    path("plans/", plans.plans, name="plans"),
    path("plans/address/", plans.set_suffix, name="set_suffix"),
    path("plans/new/", plans.plan, name="new_plan"),
    path("plans/<int:plan_id>/", plans.plan, name="plan"),
    path("plans/<int:plan_id>/sell/", plans.sell, name="sell_plan"),
    path("plans/<int:plan_id>/unsell/", plans.unsell, name="unsell_plan"),
    path("sites/<int:site_id>/term/", sites.set_term, name="set_term"),
    path("my-plan/", my_plan.my_plan, name="my_plan"),
    path("my-plan/more/", my_plan.more_time, name="more_time"),
    path("news/<int:notice_id>/seen/", overview.see_news, name="see_news"),
    path("steps/<slug:code>/", my_plan.dismiss_step, name="dismiss_step"),
    path("health/", health.health, name="health"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    *goods_urls,
    *stock_urls,
    *shop_urls,
    *platform_urls,
]
