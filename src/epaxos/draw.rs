//! Numbers that look random and are not: functions of what they are drawn for, so that a run repeats.

/// A number drawn for `parts`, any with equal chances.
pub fn draw(seed: u64, parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(seed, |drawn, part| mixed(drawn ^ part))
}

/// One step of SplitMix64 (Steele, Lea, Flood, 2014): every bit of the result depends on every bit of
/// the argument, and different arguments give different results.
fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
