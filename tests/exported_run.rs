//! A run, to be had again: its turns, and what each replica has at its end.

use epaxos_tui::multiverse::reader::Recorded;
use epaxos_tui::multiverse::tree::BranchId;
use epaxos_tui::multiverse::written::known;
use epaxos_tui::script::world::World;

#[test]
fn the_run_is_as_it_was() {
    let mut recorded = Recorded::read(RUN).expect("a recording");
    assert_eq!(recorded.damage, None);
    assert_eq!(recorded.verify(), Ok(()));
    let end = recorded.multiverse.at(BranchId::MAIN, u64::MAX).expect("its end");
    assert_eq!(known(end.view()), ENDED);
}

/// Who has what of each instance.
const ENDED: [&str; 9] = [
    "R0 R0.0 executed seq=1 deps={} put x 0",
    "R0 R2.0 executed seq=2 deps={R0.0} put x 2",
    "R0 x = 2",
    "R1 R0.0 executed seq=1 deps={} put x 0",
    "R1 R2.0 executed seq=2 deps={R0.0} put x 2",
    "R1 x = 2",
    "R2 R0.0 executed seq=1 deps={} put x 0",
    "R2 R2.0 executed seq=2 deps={R0.0} put x 2",
    "R2 x = 2",
];

/// The turns: see docs/recording.md.
const RUN: &str = r#"{"epaxos_recording":1,"replicas":3,"thrifty":true,"batch":false,"reply_on":"execute","seed":0,"fast_path_us":50000,"resend_us":300000,"resend_max_us":5000000,"recover_us":3000000,"gossip_every":10000,"keep":1024,"keep_most":500000,"gossip_bytes":4194304,"keep_bytes":4194304,"keep_most_bytes":134217728}
{"n":0,"t_us":0,"replica":"R0","event":"propose","commands":[{"client":"script","number":1,"op":"put","key":"x","value":"0"}],"digest":"a7ded84508a6e86b"}
{"n":1,"t_us":0,"replica":"R2","event":"propose","commands":[{"client":"script","number":2,"op":"put","key":"x","value":"2"}],"digest":"31a37b89963246aa"}
{"n":2,"t_us":0,"replica":"R1","event":"deliver","message":"R0-0","digest":"63c145318403fe24"}
{"n":3,"t_us":0,"replica":"R0","event":"deliver","message":"R1-0","gates":[],"digest":"d93d508649ae0cea"}
{"n":4,"t_us":0,"replica":"R1","event":"deliver","message":"R0-1","digest":"805433040c7afd3f"}
{"n":5,"t_us":0,"replica":"R2","event":"deliver","message":"R0-2","digest":"dfc5414193918aea"}
{"n":6,"t_us":0,"replica":"R0","event":"deliver","message":"R2-0","digest":"2dd5ca03931f2cb1"}
{"n":7,"t_us":0,"replica":"R2","event":"deliver","message":"R0-3","digest":"68982a890bbf584a"}
{"n":8,"t_us":0,"replica":"R0","event":"deliver","message":"R2-1","digest":"265526aead4361a0"}
{"n":9,"t_us":0,"replica":"R2","event":"deliver","message":"R0-4","digest":"f653d909982361dc"}
{"n":10,"t_us":0,"replica":"R0","event":"deliver","message":"R2-2","digest":"c090a96ea9d59fed"}
{"n":11,"t_us":0,"replica":"R1","event":"deliver","message":"R2-3","digest":"a4afe2259d3a7664"}
{"end":12}
"#;
