//! What the screens look like.

use epaxos_tui::epaxos;
use epaxos_tui::kv;
use epaxos_tui::observe;
use epaxos_tui::script;

#[path = "screens/demo.rs"]
mod demo;
#[path = "screens/drive.rs"]
mod drive;
#[path = "screens/picture.rs"]
mod picture;

use drive::Drive;

/// Compares a screen with what it is known to look like.
macro_rules! look {
    ($name:expr, $drive:expr) => {
        insta::with_settings!({ snapshot_path => "screens", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $drive.picture());
        });
    };
}

const LARGE: (u16, u16) = (120, 40);
const SMALL: (u16, u16) = (80, 24);

#[test]
fn cockpit_before_anything_has_happened() {
    look!("cockpit_empty_120x40", Drive::new(LARGE));
    look!("cockpit_empty_80x24", Drive::new(SMALL));
}

#[test]
fn cockpit_with_messages_held() {
    for (size, name) in [(LARGE, "120x40"), (SMALL, "80x24")] {
        let mut drive = Drive::held(size);
        drive.press("j j");
        look!(format!("cockpit_held_{name}"), drive);
    }
}

#[test]
fn cockpit_after_a_conflict() {
    for (size, name) in [(LARGE, "120x40"), (SMALL, "80x24")] {
        let mut drive = Drive::conflict(size);
        drive.press("BackTab");
        look!(format!("cockpit_conflict_{name}"), drive);
    }
}
