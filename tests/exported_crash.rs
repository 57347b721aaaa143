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
const ENDED: [&str; 5] = [
    "R0 R0.0 pre-accepted seq=1 deps={} put x 0",
    "R1 R0.0 executed seq=1 deps={} put x 0",
    "R1 x = 0",
    "R2 R0.0 executed seq=1 deps={} put x 0",
    "R2 x = 0",
];

/// The turns: see docs/recording.md.
const RUN: &str = r#"{"epaxos_recording":1,"replicas":3,"thrifty":true,"batch":false,"reply_on":"execute","seed":0,"fast_path_us":50000,"resend_us":300000,"resend_max_us":5000000,"recover_us":3000000,"gossip_every":10000,"keep":1024,"keep_most":500000,"gossip_bytes":4194304,"keep_bytes":4194304,"keep_most_bytes":134217728}
{"n":0,"t_us":0,"replica":"R0","event":"propose","commands":[{"client":"script","number":1,"op":"put","key":"x","value":"0"}],"digest":"a7ded84508a6e86b"}
{"n":1,"t_us":0,"replica":"R1","event":"drop","message":"R0-0","digest":"6efb96bc2d77ebf9"}
{"n":2,"t_us":300000,"replica":"R0","event":"timer","digest":"b4061cc04bc1170c"}
{"n":3,"t_us":0,"replica":"R1","event":"deliver","message":"R0-1","digest":"d548028ce13feb17"}
{"n":4,"t_us":300000,"replica":"R0","event":"crash","digest":"59bb4a81be7fff4e"}
{"n":5,"t_us":0,"replica":"R2","event":"deliver","message":"R0-2","digest":"fdf99e1f2e34a0b5"}
{"n":6,"t_us":300000,"replica":"R0","event":"drop","message":"R1-0","digest":"26a943ec2d3146d1"}
{"n":7,"t_us":300000,"replica":"R0","event":"drop","message":"R2-0","digest":"a5a73927eeaacce3"}
{"n":8,"t_us":4242000,"replica":"R1","event":"timer","digest":"6811c12d2b36fb15"}
{"n":9,"t_us":4242000,"replica":"R2","event":"deliver","message":"R1-1","digest":"4113a319c2c9753f"}
{"n":10,"t_us":4242000,"replica":"R0","event":"drop","message":"R1-2","digest":"5c238126897c0368"}
{"n":11,"t_us":4242000,"replica":"R1","event":"deliver","message":"R2-1","digest":"ebdc594329061bea"}
{"n":12,"t_us":4242000,"replica":"R2","event":"deliver","message":"R1-3","digest":"5993b87156c146f8"}
{"n":13,"t_us":4242000,"replica":"R1","event":"deliver","message":"R2-2","digest":"b601572f24d0c32c"}
{"n":14,"t_us":4242000,"replica":"R2","event":"deliver","message":"R1-4","digest":"1d1483e93e5232f9"}
{"n":15,"t_us":4242000,"replica":"R0","event":"drop","message":"R1-5","digest":"0816886d37ab8229"}
{"n":16,"t_us":4242000,"replica":"R1","event":"deliver","message":"R2-3","digest":"2bfaff538d512c68"}
{"n":17,"t_us":4242000,"replica":"R2","event":"deliver","message":"R1-6","digest":"a309c91d8a39cf1d"}
{"n":18,"t_us":4242000,"replica":"R0","event":"drop","message":"R1-7","digest":"6cbd46c3418ea0ce"}
{"n":19,"t_us":7800000,"replica":"R0","event":"recover","digest":"1eeb09dbc0b96e7c"}
{"end":20}
"#;
