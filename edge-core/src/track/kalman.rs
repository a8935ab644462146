//! Kalman filters for one coordinate.
//!
//! With a constant-velocity model and independent noise on each coordinate, the usual eight-state box
//! filter falls apart into four small ones, without loss. Here are the two kinds that it takes.

/// Position and velocity of one coordinate: driven by white noise acceleration, after Bar-Shalom, Li
/// and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), 6.2.2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moving {
    pub position: f32,
    pub velocity: f32,
    pp: f32,
    pv: f32,
    vv: f32,
}

impl Moving {
    /// Starts at rest; both deviations are one sigma, in pixels and pixels a second.
    pub fn new(position: f32, position_sigma: f32, velocity_sigma: f32) -> Self {
        Self {
            position,
            velocity: 0.0,
            pp: position_sigma * position_sigma,
            pv: 0.0,
            vv: velocity_sigma * velocity_sigma,
        }
    }

    /// `dt` in seconds; `density` of the acceleration noise, in px^2/s^3.
    pub fn predict(&mut self, dt: f32, density: f32) {
        self.position += self.velocity * dt;
        self.pp += dt * (2.0 * self.pv + dt * self.vv) + density * dt * dt * dt / 3.0;
        self.pv += dt * self.vv + density * dt * dt / 2.0;
        self.vv += density * dt;
    }

    pub fn update(&mut self, measured: f32, sigma: f32) {
        let total = self.pp + sigma * sigma;
        let (gain, velocity_gain) = (self.pp / total, self.pv / total);
        let surprise = measured - self.position;
        self.position += gain * surprise;
        self.velocity += velocity_gain * surprise;
        self.vv -= velocity_gain * self.pv;
        self.pv *= 1.0 - gain;
        self.pp *= 1.0 - gain;
    }
}

/// A size: a random walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slow {
    pub value: f32,
    variance: f32,
}

impl Slow {
    pub fn new(value: f32, sigma: f32) -> Self {
        Self { value, variance: sigma * sigma }
    }

    /// `dt` in seconds; `density` in px^2/s.
    pub fn predict(&mut self, dt: f32, density: f32) {
        self.variance += density * dt;
    }

    pub fn update(&mut self, measured: f32, sigma: f32) {
        let gain = self.variance / (self.variance + sigma * sigma);
        self.value += gain * (measured - self.value);
        self.variance *= 1.0 - gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_walk_is_learnt_whatever_the_time_steps() {
        let mut x = Moving::new(0.0, 2.0, 50.0);
        let mut t = 0.0;
        for dt in [0.1, 0.4, 0.1, 0.2, 0.1, 0.3, 0.1, 0.1, 0.5, 0.1] {
            t += dt;
            x.predict(dt, 25.0);
            x.update(30.0 * t, 2.0);
        }
        assert!((x.velocity - 30.0).abs() < 2.0, "{x:?}");
        x.predict(1.0, 25.0);
        assert!((x.position - 30.0 * (t + 1.0)).abs() < 3.0, "{x:?}");
    }

    #[test]
    fn one_step_or_two_half_steps_are_the_same() {
        let mut one = Moving { position: 1.0, velocity: 2.0, pp: 3.0, pv: 0.5, vv: 4.0 };
        let mut two = one;
        one.predict(0.4, 7.0);
        two.predict(0.2, 7.0);
        two.predict(0.2, 7.0);
        for (a, b) in [(one.position, two.position), (one.pp, two.pp), (one.pv, two.pv), (one.vv, two.vv)] {
            assert!((a - b).abs() < 1e-5, "{one:?} {two:?}");
        }
    }
}
