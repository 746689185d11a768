"""What the database alone can do: the same order as one minimal SQL transaction, through pgbench.

Minimal means: take one unsold key, insert the order, two ledger entries, two balances moved (the
buyer's and the seller's, as many sellers as buyers, so that nobody waits), mark the key sold. Same
server, same durability, the same number of clients, goods spread alike; tables of its own beside
the shop's. A program beside the stack; prints its rate a second. A sale without a key would be
cheap and no order: it ends the measurement.
"""

import argparse
import re
import subprocess
import sys
import tempfile

import psycopg

from kameng.config.launch.binaries import choose_binaries
from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

SCHEMA = """
drop schema if exists bench cascade;
create schema bench;
create table bench.account (id bigint primary key, balance bigint not null check (balance >= 0))
    with (fillfactor = 70);
create table bench.card (id bigint generated always as identity primary key, product int not null,
    position bigint not null, status smallint not null default 0, order_id bigint,
    secret bytea not null);
create index on bench.card (product, position) where status = 0;
create table bench.orders (id bigint generated always as identity primary key,
    buyer bigint not null, product int not null, amount bigint not null,
    created_at timestamptz not null default now());
create index on bench.orders (buyer, id);
create table bench.entry (id bigint generated always as identity primary key,
    order_id bigint not null, account bigint not null, amount bigint not null);
create function bench.sell(p_product int, p_buyer bigint, p_seller bigint) returns bigint
language plpgsql as $$
declare v_card bigint; v_order bigint;
begin
    update bench.account set balance = balance - 1000 where id = p_buyer and balance >= 1000;
    if not found then raise exception 'no money'; end if;
    select id into v_card from bench.card where product = p_product and status = 0
     order by position limit 1 for update skip locked;
    if v_card is null then raise exception 'sold out'; end if;
    insert into bench.orders (buyer, product, amount) values (p_buyer, p_product, 1000)
        returning id into v_order;
    insert into bench.entry (order_id, account, amount)
        values (v_order, p_buyer, -1000), (v_order, p_seller, 1000);
    update bench.account set balance = balance + 1000 where id = p_seller;
    update bench.card set status = 1, order_id = v_order where id = v_card;
    return v_order;
end $$;
"""


def prepare(url: str, *, products: int, customers: int, cards: int) -> None:
    """Make the minimal shop."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(
            "insert into bench.account select i, 1000000000000 from generate_series(1, %s) i",
            (2 * customers,),  # buyers, then sellers: whoever locks both locks upwards
        )
        connection.execute(
            "insert into bench.card (product, position, secret)"
            " select i %% %s, i, decode(repeat('5a', 48), 'hex') from generate_series(1, %s) i",
            (products, cards),
        )
        connection.execute("vacuum analyze bench.card")


def measure(url: str, *, clients: int, seconds: int, products: int, customers: int) -> float:
    """Return orders a second."""
    script = (
        f"\\set product random(0, {products - 1})\n\\set buyer random(1, {customers})\n"
        f"\\set seller random({customers + 1}, {2 * customers})\n"
        "select bench.sell(:product, :buyer, :seller);\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        pgbench = choose_binaries(None).program("pgbench")
        done = subprocess.run(
            [
                pgbench,
                "-n",
                "-M",
                "prepared",
                "-c",
                str(clients),
                "-j",
                "2",
                "-T",
                str(seconds),
                "-f",
                file.name,
                url,
            ],  # fmt: skip
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
        )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None or done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr[-500:])
    return float(found.group(1))


def main() -> None:
    """Prepare, measure, remove."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--customers", type=int, default=1000)
    wanted = parser.parse_args()
    with database_session(find_home()) as url:
        cards = 30_000 * (wanted.seconds + 2)
        prepare(url, products=wanted.products, customers=wanted.customers, cards=cards)
        rate = measure(
            url,
            clients=wanted.clients,
            seconds=wanted.seconds,
            products=wanted.products,
            customers=wanted.customers,
        )
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop schema bench cascade")
    sys.stdout.write(f"{rate:.1f}")


if __name__ == "__main__":
    main()
