//! Seeded damage: the same seed makes the same damage.

/// SplitMix64 (Steele, Lea and Flood 2014): small, and good enough to break things with.
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    /// Flips bits, overwrites a run, or cuts the end; the first start code stays, so that it still
    /// reaches the decoder.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        const KEEP: usize = 5;
        if bytes.len() <= KEEP {
            return;
        }
        let body = bytes.len() - KEEP;
        match self.below(3) {
            0 => {
                for _ in 0..=self.below(16) {
                    let at = KEEP + self.below(body);
                    bytes[at] ^= 1 << self.below(8);
                }
            }
            1 => {
                let from = KEEP + self.below(body);
                let to = (from + 1 + self.below(400)).min(bytes.len());
                for byte in &mut bytes[from..to] {
                    *byte = self.next() as u8;
                }
            }
            _ => bytes.truncate(KEEP + self.below(body)),
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
