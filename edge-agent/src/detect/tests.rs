//! Decoding and suppression on made-up outputs, hostile ones too.

use proptest::prelude::*;

use super::*;

fn scored(label: usize, confidence: f32, left: f32) -> Scored {
    Scored { label, confidence, bbox: Rect::new(left, 0.0, 10.0, 10.0) }
}

#[test]
fn of_overlapping_boxes_of_a_label_the_best_stays() {
    let kept = suppress(
        vec![scored(0, 0.5, 0.0), scored(0, 0.9, 1.0), scored(1, 0.4, 0.0), scored(0, 0.3, 50.0)],
        0.45,
    );
    assert_eq!(kept, vec![scored(0, 0.9, 1.0), scored(1, 0.4, 0.0), scored(0, 0.3, 50.0)]);
}

#[test]
fn a_cell_becomes_the_box_around_its_centre() {
    let (side, labels) = (32, 2);
    let mut values = vec![0.0; (16 + 4 + 1) * 7];
    // Second grid (stride 16), its fourth cell: (1, 1).
    let row = &mut values[(16 + 3) * 7..][..7];
    row.copy_from_slice(&[0.5, 0.25, 0.0, 0.5f32.ln(), 0.8, 0.1, 0.5]);
    let found = yolox::decode(&values, side, side, &vec![true; labels], 0.3).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].label, 1);
    assert!((found[0].confidence - 0.4).abs() < 1e-6);
    let b = found[0].bbox;
    assert!((b.left - 16.0).abs() < 1e-4 && (b.top - 16.0).abs() < 1e-4);
    assert!((b.width - 16.0).abs() < 1e-4 && (b.height - 8.0).abs() < 1e-4);
    assert!(yolox::decode(&values, side, side, &[true, false], 0.3).unwrap().is_empty());
}

#[test]
fn boxes_return_to_picture_pixels_and_end_at_its_edges() {
    let fit = Letterbox::fit((200, 100), (50, 50));
    let inside = to_picture(vec![scored(0, 0.5, 45.0)], &fit, 200, 100);
    assert_eq!(inside[0].bbox, Rect::new(180.0, 0.0, 20.0, 40.0));
    assert!(to_picture(vec![scored(0, 0.5, 60.0)], &fit, 200, 100).is_empty());
}

fn wild() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(1e30f32),
        Just(0.9f32),
        -3.0f32..3.0,
    ]
}

proptest! {
    #[test]
    fn whatever_a_model_says_boxes_are_finite_and_inside(values in proptest::collection::vec(wild(), 21 * 7)) {
        let fit = Letterbox::fit((90, 60), (32, 32));
        let mut found = to_picture(yolox::decode(&values, 32, 32, &[true; 2], 0.1).unwrap(), &fit, 90, 60);
        let faces = centerface::decode(&values[..16], &values[16..48], &values[48..80], (4, 4), 0.1).unwrap();
        found.extend(to_picture(faces, &fit, 90, 60));
        for one in suppress(found, 0.5) {
            let b = one.bbox;
            prop_assert!(b.left >= 0.0 && b.top >= 0.0 && b.right() <= 90.01 && b.bottom() <= 60.01);
            prop_assert!((0.0..=1.0).contains(&one.confidence));
        }
    }
}
