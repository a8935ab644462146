//! Seeded damage: the same seed makes the same damage.

use crate::Chance;

/// A source of damage.
#[derive(Debug, Clone)]
pub struct Noise(Chance);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed))
    }

    /// Flips bits, overwrites a run, or cuts the end; the first start code stays, so that it still
    /// reaches the decoder.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        const KEEP: usize = 5;
        if bytes.len() <= KEEP {
            return;
        }
        let body = bytes.len() - KEEP;
        match self.0.below(3) {
            0 => {
                for _ in 0..=self.0.below(16) {
                    let at = KEEP + self.0.below(body);
                    bytes[at] ^= 1 << self.0.below(8);
                }
            }
            1 => {
                let from = KEEP + self.0.below(body);
                let to = (from + 1 + self.0.below(400)).min(bytes.len());
                for byte in &mut bytes[from..to] {
                    *byte = self.0.next() as u8;
                }
            }
            _ => bytes.truncate(KEEP + self.0.below(body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_damage_and_another_seed_does_not() {
        let damaged = |seed| {
            let mut noise = Noise::new(seed);
            (0..20)
                .map(|_| {
                    let mut bytes: Vec<u8> = (0..=255).collect();
                    noise.damage(&mut bytes);
                    bytes
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(damaged(1), damaged(1));
        assert_ne!(damaged(1), damaged(2));
        assert!(damaged(3).iter().all(|bytes| bytes[..5] == [0, 1, 2, 3, 4]));
    }
}
