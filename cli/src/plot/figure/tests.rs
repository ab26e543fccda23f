use proptest::prelude::*;

use super::super::scene::{Anchor, Item, Scene};
use super::*;

fn spiral(count: usize) -> Vec<[f32; 2]> {
    let at = |i: usize| (i as f32 * 0.1, (i as f32).sqrt());
    (0..count)
        .map(at)
        .map(|(turn, far)| [far * turn.cos(), far * turn.sin()])
        .collect()
}

fn categories(count: usize, names: usize) -> Color {
    Color::Categories {
        title: "label".into(),
        names: (0..names).map(|i| format!("class {i}")).collect(),
        codes: (0..count).map(|i| Some((i % names) as u32)).collect(),
    }
}

fn values(count: usize) -> Color {
    Color::Values {
        title: "loss".into(),
        values: (0..count)
            .map(|i| {
                if i % 7 == 0 {
                    f32::NAN
                } else {
                    (i as f32).sqrt()
                }
            })
            .collect(),
        on_top: OnTop::High,
    }
}

fn small(points: Vec<[f32; 2]>, color: Color) -> Figure {
    Figure {
        color,
        title: "Digits".into(),
        subtitle: "epoch 3".into(),
        axes: ["PCA 1".into(), "PCA 2".into(), String::new()],
        width: 400.0,
        height: 300.0,
        ..Figure::new(Coordinates::Plane(points))
    }
}

/// Width, height and RGB bytes of a PNG.
fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    (info.width, info.height, data)
}

fn inked(pixels: &[u8]) -> usize {
    pixels
        .chunks_exact(3)
        .filter(|pixel| pixel != &[255, 255, 255])
        .count()
}

fn scene(figure: &Figure) -> Scene {
    figure.check().unwrap();
    arrange::scene(figure, &Fonts::load().unwrap())
}

#[test]
fn a_png_has_the_size_asked_for_and_shows_the_points() {
    let mut figure = small(spiral(200), categories(200, 3));
    figure.scale = 2.0;
    let (width, height, pixels) = decode(&figure.render(Format::Png).unwrap());
    assert_eq!((width, height), (800, 600));
    let mut without = small(vec![[0.0, 0.0]], Color::None);
    without.scale = 2.0;
    let (.., empty) = decode(&without.render(Format::Png).unwrap());
    assert!(inked(&pixels) > 2 * inked(&empty));
    let blue = [0x00, 0x72, 0xB2];
    let near = |p: &[u8]| {
        p.iter()
            .zip(blue)
            .all(|(&a, b): (&u8, u8)| a.abs_diff(b) < 40)
    };
    assert!(pixels.chunks_exact(3).filter(|p| near(p)).count() > 200);
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    for color in [categories(900, 30), values(900), Color::None] {
        let figure = small(spiral(900), color);
        for format in [Format::Png, Format::Svg] {
            assert_eq!(figure.render(format), figure.render(format));
        }
    }
}

#[test]
fn an_svg_is_well_formed_and_carries_names_as_they_are() {
    let name = "a<b>&\"猫'é";
    let mut figure = small(
        spiral(3),
        Color::Categories {
            title: "<label>".into(),
            names: vec![name.into(), "bell\u{7}".into()],
            codes: vec![Some(0), Some(1), None],
        },
    );
    figure.width = 900.0;
    let svg = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    assert!(texts.contains(&name), "{texts:?}");
    assert!(texts.contains(&"<label>") && texts.contains(&"bell\u{FFFD}"));
}

#[test]
fn an_svg_of_many_points_stays_small() {
    let count = 30_000;
    let svg = small(spiral(count), categories(count, 5))
        .render(Format::Svg)
        .unwrap();
    assert!(svg.len() < 700_000, "{}", svg.len());
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains("data:image/png;base64,"));
    roxmltree::Document::parse(&svg).unwrap();
}

#[test]
fn few_points_are_vectors_one_each() {
    let svg = small(spiral(50), Color::None).render(Format::Svg).unwrap();
    assert_eq!(String::from_utf8(svg).unwrap().matches("<use ").count(), 50);
}

#[test]
fn wrong_input_is_named() {
    let error = |figure: Figure| figure.render(Format::Svg).unwrap_err();
    assert_eq!(error(small(vec![], Color::None)), PlotError::Empty);
    let holed = small(vec![[0.0, 1.0], [2.0, f32::INFINITY]], Color::None);
    let (row, axis, value) = (1, 1, f32::INFINITY);
    assert_eq!(error(holed), PlotError::Position { row, axis, value });
    let short = small(spiral(3), values(2));
    assert!(matches!(
        error(short),
        PlotError::Lengths {
            points: 3,
            values: 2,
            ..
        }
    ));
    let mut color = categories(3, 2);
    if let Color::Categories { names, .. } = &mut color {
        names.pop();
    }
    let unnamed = PlotError::Code {
        row: 1,
        code: 1,
        names: 1,
    };
    assert_eq!(error(small(spiral(3), color)), unnamed);
    let mut figure = small(spiral(3), Color::None);
    figure.width = f32::NAN;
    assert!(matches!(error(figure), PlotError::Size { .. }));
}

#[test]
fn odd_point_sets_are_drawn() {
    let far = spiral(300).into_iter().chain([[1e30, -1e30]]).collect();
    let extreme = vec![[f32::MAX, f32::MIN], [f32::MIN, f32::MAX]];
    for points in [vec![[5.0, 5.0]], vec![[1.0, 2.0]; 40], far, extreme] {
        let count = points.len();
        for color in [
            categories(count, 1),
            categories(count, 300),
            values(count),
            Color::None,
        ] {
            let figure = small(points.clone(), color);
            let (.., pixels) = decode(&figure.render(Format::Png).unwrap());
            assert!(inked(&pixels) > 300);
        }
    }
}

#[test]
fn a_far_point_is_an_arrow_and_a_note() {
    let points = spiral(300).into_iter().chain([[1e30, 0.0]]).collect();
    let items = scene(&small(points, Color::None)).items;
    assert_eq!(
        items
            .iter()
            .filter(|item| matches!(item, Item::Polygon { .. }))
            .count(),
        1
    );
    let says = |item: &Item| matches!(item, Item::Text(text) if text.text.contains("1 point lies"));
    assert!(items.iter().any(says));
}

/// Sizes of the texts with a halo: the labels beside the points.
fn label_sizes(width: f32, height: f32) -> Vec<f32> {
    let points = (0..300).map(|i| [(i % 3) as f32 * 9.0, (i / 3) as f32 * 0.01]);
    let figure = Figure {
        width,
        height,
        ..small(points.collect(), categories(300, 3))
    };
    let items = scene(&figure).items.into_iter();
    let sizes = items.filter_map(|item| match item {
        Item::Text(text) if text.halo => Some(text.style.size),
        _ => None,
    });
    sizes.collect()
}

#[test]
fn labels_grow_with_the_picture_and_small_ones_have_none() {
    for (width, height) in [(320.0, 240.0), (320.0, 900.0), (480.0, 360.0)] {
        assert!(label_sizes(width, height).is_empty(), "{width} x {height}");
    }
    let sizes = [(800.0, 600.0), (1200.0, 900.0), (1600.0, 1200.0)];
    let sizes = sizes.map(|(width, height)| label_sizes(width, height));
    assert_eq!(sizes.each_ref().map(Vec::len), [3, 3, 3]);
    assert!(sizes[0][0] >= 9.0 && sizes[0][0] < sizes[1][0] && sizes[1][0] < sizes[2][0]);
    assert!(label_sizes(8000.0, 8000.0).iter().all(|&size| size <= 22.0));
}

#[test]
fn ten_categories_keep_their_colours_in_the_smallest_picture() {
    let figure = Figure {
        width: 320.0,
        height: 240.0,
        ..small(spiral(300), categories(300, 10))
    };
    let colors: std::collections::BTreeSet<_> = scene(&figure)
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Points(points) => Some(points.marks.iter().map(|mark| mark.color)),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(colors.len(), 10);
}

#[test]
fn names_of_axes_are_cut_between_their_parts() {
    let name = "component 1, 25.9 % of the variance";
    let axes = |width: f32| {
        let coordinates = spiral(50).into_iter().map(|[x, y]| [x, y, x * y]);
        let coordinates = Coordinates::Space(coordinates.collect(), View::default());
        let figure = Figure {
            width,
            height: width * 0.75,
            axes: [name.into(), String::new(), String::new()],
            ..Figure::new(coordinates)
        };
        let items = scene(&figure).items.into_iter();
        let texts = items.filter_map(|item| match item {
            Item::Text(text) => Some(text.text),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    assert_eq!(axes(1600.0), [name]);
    assert_eq!(axes(800.0), ["component 1, 25.9 %"]);
    assert_eq!(axes(400.0), ["component 1"]);
    assert!(axes(320.0).is_empty());
}

#[test]
fn nearer_points_are_drawn_later_and_larger() {
    let view = View {
        azimuth: 0.0,
        elevation: 0.0,
    };
    // Seen along the first axis: the point with the greater first coordinate is nearer.
    let points = vec![[9.0, 0.0, 0.0], [0.0, 1.0, 1.0], [5.0, 2.0, 0.5]];
    let figure = Figure::new(Coordinates::Space(points, view));
    let items = scene(&figure).items;
    let marks = items.iter().find_map(|item| match item {
        Item::Points(points) => Some(&points.marks),
        _ => None,
    });
    let marks = marks.unwrap();
    assert!(marks.windows(2).all(|pair| pair[0].radius < pair[1].radius));
    // To the right along the second axis.
    assert!(marks[2].x < marks[0].x && marks[0].x < marks[1].x);
}

/// The box that an item needs.
fn bounds(item: &Item, fonts: &Fonts) -> [f32; 4] {
    let corners = |points: &[(f32, f32)]| {
        points
            .iter()
            .fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |b, &(x, y)| {
                [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)]
            })
    };
    match item {
        Item::Frame { area, .. } | Item::Ramp { area, .. } => {
            [area.x, area.y, area.right(), area.bottom()]
        }
        Item::Points(points) => {
            let area = points.area;
            [area.x, area.y, area.right(), area.bottom()]
        }
        Item::Line { from, to, .. } => corners(&[*from, *to]),
        Item::Polygon {
            corners: points, ..
        } => corners(points),
        Item::Mark { mark, .. } => {
            let (x, y, r) = (mark.x, mark.y, mark.radius);
            [x - r, y - r, x + r, y + r]
        }
        Item::Text(text) => {
            let width = fonts.width(&text.text, text.style);
            let start = match text.anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => -width / 2.0,
                Anchor::End => -width,
            };
            let (up, down) = (text.style.size * 0.8, text.style.size * 0.25);
            let (x, y) = (text.x, text.y);
            if text.upwards {
                [x - up, y - start - width, x + down, y - start]
            } else {
                [x + start, y - up, x + start + width, y + down]
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn everything_stays_on_the_paper(
        width in 320f32..1600.0,
        height in 240f32..1200.0,
        points in prop::collection::vec([-1e6f32..1e6, -10f32..10.0, -1f32..1.0], 1..60),
        names in 1usize..60,
        length in 0usize..60,
        kind in 0usize..3,
        flat in any::<bool>(),
    ) {
        let color = match kind {
            0 => Color::None,
            1 => Color::Categories {
                title: "t".repeat(length),
                names: (0..names).map(|i| format!("{i}{}", "w".repeat(length))).collect(),
                codes: (0..points.len()).map(|i| (i % 5 > 0).then_some((i % names) as u32)).collect(),
            },
            _ => Color::Values {
                title: "t".repeat(length),
                values: points.iter().map(|p| if p[1] > 9.0 { f32::NAN } else { p[0] * p[1] * 1e8 }).collect(),
                on_top: OnTop::Low,
            },
        };
        let coordinates = if flat {
            Coordinates::Plane(points.iter().map(|p| [p[0], p[1]]).collect())
        } else {
            Coordinates::Space(points, View::default())
        };
        let figure = Figure {
            color, width, height,
            title: "T".repeat(length * 3),
            subtitle: "a subtitle ".repeat(length),
            axes: std::array::from_fn(|axis| format!("axis {axis} {}", "x".repeat(length))),
            ..Figure::new(coordinates)
        };
        let fonts = Fonts::load().unwrap();
        for item in scene(&figure).items {
            let [left, top, right, bottom] = bounds(&item, &fonts);
            prop_assert!(left >= 0.0 && top >= 0.0, "{item:?}");
            prop_assert!(right <= width && bottom <= height, "{item:?} in {width} x {height}");
        }
    }
}
