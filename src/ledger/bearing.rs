//! Of what a feed lists, only that which bears on one indicator: a guard list of a million rows need not be read to
//! judge a single address.

use ipnet::IpNet;

use crate::model::{Indicator, Listing};

use super::read::read_listing;
use super::{Ledger, Result, bulk};

/// A row as [`read_listing`] takes it.
const PACKED: &str =
    "SELECT CAST(key || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
    || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':' || ifnull(dated, '') || ':'
    || ifnull(confidence, '') AS BLOB) FROM listings WHERE feed_id = ?1 AND ";

impl Ledger {
    /// What a feed lists of `holders`, and what it lists inside `root`: addresses and networks of a network, names
    /// below a domain. The names below a domain are found by reading all names of the feed.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn listings_bearing(
        &self,
        feed: i64,
        holders: &[Indicator],
        root: &Indicator,
    ) -> Result<Vec<Listing>> {
        let sql = format!("{PACKED} key IN (SELECT unhex(value) FROM json_each(?2))");
        let mut rows: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(feed)
            .bind(bulk::keys_json(holders))
            .fetch_all(&self.readers)
            .await?;
        let (sql, ranges) = match root {
            Indicator::Address(_) => (String::new(), Vec::new()),
            Indicator::Network(network) => {
                let sql = format!("{PACKED} key BETWEEN ?2 AND ?3");
                (sql, inside(network.net()))
            }
            Indicator::Domain(name) => {
                let sql = format!("{PACKED} key > ?2 AND substr(key, -length(?3)) = ?3");
                let below = format!(".{name}").into_bytes();
                let tag = root.key().into_iter().take(1).collect();
                (sql, vec![(tag, below)])
            }
        };
        for (first, last) in ranges {
            let more: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .bind(feed)
                .bind(first)
                .bind(last)
                .fetch_all(&self.readers)
                .await?;
            rows.extend(more);
        }
        let rows = rows.iter().flat_map(|packed| bulk::Packed::new(packed));
        rows.map(|row| read_listing(row?)).collect()
    }
}

/// The keys of addresses, and of networks, from a network's first address to its last.
fn inside(net: IpNet) -> Vec<(Vec<u8>, Vec<u8>)> {
    let first = Indicator::from_ip(net.network()).key();
    let last = Indicator::from_ip(net.broadcast()).key();
    let of_networks = |address: &[u8], length: Option<u8>| {
        let tag = Indicator::from_net(net).key().into_iter().take(1);
        let rest = address.iter().skip(1).copied();
        tag.chain(rest).chain(length).collect::<Vec<u8>>()
    };
    let networks = (of_networks(&first, None), of_networks(&last, Some(u8::MAX)));
    vec![(first, last), networks]
}
