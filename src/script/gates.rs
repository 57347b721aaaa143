//! What gates hold back, as the commands that make them do so.

use crate::epaxos::id::ReplicaId;
use crate::observe::links::{LinkId, PerLink};
use crate::observe::notice::GateState;
use crate::script::faults;
use crate::script::grammar::Command;
use crate::script::words::{Which, delay_word};

/// The commands that make fresh gates hold back what these do. Without breakpoints: those say when a
/// person wants to look, and hold nothing back.
pub fn commands(gate: &GateState) -> Vec<String> {
    let mut lines = Vec::new();
    if gate.seed != 0 {
        lines.push(format!("seed {}", gate.seed));
    }
    lines.extend(gate.holds.iter().map(|filter| format!("hold {filter}").trim_end().to_owned()));
    lines.extend(gate.cuts.iter().map(|LinkId { from, to }| format!("cut {from} {to}")));
    lines.extend(per_link("loss", &gate.loss, |percent| percent.to_string()));
    lines.extend(per_link("dup", &gate.duplicates, |percent| percent.to_string()));
    lines.extend(per_link("delay", &gate.lateness, delay_word));
    let delays = gate.delays.iter();
    lines.extend(delays.map(|(filter, delay)| format!("delay {} {filter}", delay_word(*delay))));
    if gate.paused {
        lines.push("pause".to_owned());
    }
    lines
}

fn per_link<T: Copy + Default + PartialEq>(
    verb: &str,
    values: &PerLink<T>,
    word: impl Fn(T) -> String,
) -> Vec<String> {
    let all = (values.all() != T::default()).then(|| format!("{verb} {}", word(values.all())));
    let own = values
        .own()
        .map(|(LinkId { from, to }, value)| format!("{verb} {} {from} {to}", word(value)));
    all.into_iter().chain(own).collect()
}

/// The gates that such commands make in a cluster of `replicas`.
pub fn read<T: AsRef<str>>(lines: &[T], replicas: usize) -> Result<GateState, String> {
    let mut gate = GateState::default();
    for line in lines {
        let line = line.as_ref();
        let command = Command::parse(line).map_err(|error| error.to_string())?;
        match command.ok_or_else(|| "an empty command".to_owned())? {
            Command::Pause => gate.paused = true,
            Command::Hold { which } => match Which::from_terms(&which)? {
                Which::Filter(filter) => gate.holds.push(filter),
                Which::Id(id) => return Err(format!("{id} is one message, not a rule")),
            },
            command @ (Command::Cut { .. }
            | Command::Loss { .. }
            | Command::Dup { .. }
            | Command::Delay { .. }
            | Command::Seed { .. }) => {
                let out = |id: &ReplicaId| id.index() >= replicas;
                if let Some(id) = faults::named(&command).into_iter().find(out) {
                    return Err(format!("there is no {id}"));
                }
                gate = faults::changed(&command, &gate, replicas)?;
            }
            other => return Err(format!("\"{other}\" is not about gates")),
        }
    }
    Ok(gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_read_back_as_they_are() {
        let lines = [
            "seed 7",
            "hold",
            "hold kind=Commit from=R0",
            "cut R0 R2",
            "loss 10",
            "loss 0 R0 R1",
            "dup 5 R1 R2",
            "delay 5ms..40ms",
            "delay 1s R2 R0",
            "delay 10s kind=Commit",
            "pause",
        ];
        let gate = read(&lines, 3).expect("all of these are about gates");
        assert_eq!(commands(&gate), lines);
        assert_eq!(commands(&GateState::default()), Vec::<String>::new());
        assert!(read(&["cut R0 R7"], 3).is_err());
        assert!(read(&["settle"], 3).is_err());
    }
}
