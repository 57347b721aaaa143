//! The counters of a cluster as a file.

use serde_json::{Value, json};

use crate::epaxos::id::ReplicaId;
use crate::epaxos::replica::ReplyOn;
use crate::observe::counters::Counters;
use crate::observe::view::View;

/// The counters of every replica and their sum, with stable names; `docs/trace.md` lists them.
pub fn to_json(view: &View) -> Value {
    let replicas: Vec<_> = ReplicaId::all(view.shape.replicas())
        .map(|id| one_to_json(id, &view.replica(id).counters))
        .collect();
    let options = &view.shape.options;
    json!({
        "cluster": {
            "replicas": view.shape.replicas(),
            "fast_quorum": options.quorums.fast(),
            "slow_quorum": options.quorums.slow(),
            "thrifty": options.thrifty,
            "batch": view.shape.batch,
            "reply_on": match options.reply_on {
                ReplyOn::Execute => "execute",
                ReplyOn::Commit => "commit",
            },
        },
        "total": view.total().to_json(),
        "replicas": replicas,
    })
}

/// The counters of one replica, with its name.
pub fn one_to_json(id: ReplicaId, counters: &Counters) -> Value {
    let mut json = counters.to_json();
    json["replica"] = json!(id.to_string());
    json
}
