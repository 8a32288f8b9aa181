//! Plots of the sweep as SVG: a line a thing, against the number of calls at once.
//!
//! The picture brings its own background, and follows the viewer's choice of light or dark.

use std::fmt::Write;

use super::spread::Spread;
use super::turns::Turns;

/// The figure that tells how many calls were under way at once.
pub const CONCURRENCY: &str = "concurrency";

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;

/// Colours of the lines by their place, in classes; more lines than these share the last one.
const COLOURS: usize = 3;
const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f } \
.paper { fill: #ffffff } .grid { stroke: #d0d7de; stroke-width: 1 } .title { font-size: 15px; font-weight: 600 } \
.line { fill: none; stroke-width: 2.5 } .far { stroke-dasharray: 3 5 } .range { stroke-width: 1.5 } \
.s0 { stroke: #6e7781 } .s1 { stroke: #0969da } .s2 { stroke: #bc4c00 } \
.f0 { fill: #6e7781 } .f1 { fill: #0969da } .f2 { fill: #bc4c00 } \
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .paper { fill: #0d1117 } .grid { stroke: #30363d } \
.s0 { stroke: #9198a1 } .s1 { stroke: #58a6ff } .s2 { stroke: #f0883e } \
.f0 { fill: #9198a1 } .f1 { fill: #58a6ff } .f2 { fill: #f0883e } }";

/// How the values of a plot are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From 0 on, evenly.
    Linear,
    /// By powers of ten.
    Logarithmic,
}

/// One plot.
#[derive(Clone, Copy, Debug)]
pub struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// The figure, and one that is drawn dashed.
    pub figures: (&'a str, Option<&'a str>),
    /// How its values are laid out.
    pub scale: Scale,
}

/// A number of calls at once, and what was found there.
type Point = (f64, Spread);

/// The values at the ends of both axes.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
    scale: Scale,
}

impl Axes {
    fn x(&self, value: f64) -> f64 {
        let (least, most) = (self.x.0.log2(), self.x.1.log2());
        let share = (value.log2() - least) / (most - least).max(f64::EPSILON);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let along = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(f64::MIN_POSITIVE).log10(),
        };
        let (least, most) = (along(self.y.0), along(self.y.1));
        let share = (along(value) - least) / (most - least).max(f64::EPSILON);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    /// Returns the values at which the grid has lines.
    fn ticks(&self) -> Vec<f64> {
        let (least, most) = self.y;
        match self.scale {
            Scale::Linear => {
                let step = step(most);
                (0..=(most / step).round() as u32).map(|number| f64::from(number) * step).collect()
            }
            Scale::Logarithmic => {
                let powers = least.log10().round() as i32..=most.log10().round() as i32;
                powers.map(|power| 10_f64.powi(power)).collect()
            }
        }
    }
}

/// Returns the step of a grid of some five lines up to `most`: 1, 2 or 5 and zeros.
fn step(most: f64) -> f64 {
    let rough = most.max(f64::MIN_POSITIVE) / 5.0;
    let ten = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * ten);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(ten * 10.0)
}

impl Plot<'_> {
    /// Draws it from what was found at each number of calls at once; nothing where nothing was.
    pub fn draw(&self, levels: &[Turns]) -> Option<String> {
        let names: Vec<&str> =
            levels.first()?.series.iter().map(|series| series.name.as_str()).collect();
        let lines: Vec<_> =
            names.iter().map(|name| (*name, points(levels, name, self.figures.0))).collect();
        let far: Vec<_> =
            names.iter().filter_map(|name| Some(points(levels, name, self.figures.1?))).collect();
        let all: Vec<Point> =
            lines.iter().map(|(_, line)| line).chain(&far).flatten().copied().collect();
        let axes = self.axes(&all)?;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n<text class=\"title\" x=\"{LEFT}\" y=\"28\">{title}</text>\n",
            title = self.title,
        );
        grid(&mut svg, &axes, levels);
        for (number, line) in far.iter().enumerate() {
            path(&mut svg, &axes, line, &format!("line far s{}", number.min(COLOURS - 1)));
        }
        for (number, (_, line)) in lines.iter().enumerate() {
            let colour = number.min(COLOURS - 1);
            path(&mut svg, &axes, line, &format!("line s{colour}"));
            for (at, spread) in line {
                let (x, least, most) = (axes.x(*at), axes.y(spread.min), axes.y(spread.max));
                put(
                    &mut svg,
                    format_args!(
                        "<path class=\"range s{colour}\" d=\"M{x:.1} {least:.1}V{most:.1}\"/>"
                    ),
                );
                let y = axes.y(spread.median);
                put(
                    &mut svg,
                    format_args!(
                        "<circle class=\"f{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
                    ),
                );
            }
        }
        names_of_lines(&mut svg, &axes, &lines);
        svg.push_str("</svg>\n");
        Some(svg)
    }

    fn axes(&self, points: &[Point]) -> Option<Axes> {
        let least_x = points.iter().map(|(x, _)| *x).reduce(f64::min)?;
        let most_x = points.iter().map(|(x, _)| *x).reduce(f64::max)?;
        let least = points.iter().map(|(_, spread)| spread.min).reduce(f64::min)?;
        let most = points.iter().map(|(_, spread)| spread.max).reduce(f64::max)?;
        let y = match self.scale {
            Scale::Linear => (0.0, (most / step(most)).ceil() * step(most)),
            Scale::Logarithmic => {
                let power = |value: f64| value.max(1.0).log10();
                (10_f64.powf(power(least).floor()), 10_f64.powf(power(most).ceil().max(1.0)))
            }
        };
        Some(Axes { x: (least_x, most_x), y, scale: self.scale })
    }
}

fn points(levels: &[Turns], name: &str, figure: &str) -> Vec<Point> {
    let point = |turns: &Turns| {
        let series = turns.series(name)?;
        Some((series.spread(CONCURRENCY)?.median, series.spread(figure)?))
    };
    levels.iter().filter_map(point).collect()
}

fn grid(svg: &mut String, axes: &Axes, levels: &[Turns]) {
    for value in axes.ticks() {
        let (y, right) = (axes.y(value), WIDTH - RIGHT);
        put(svg, format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
        let (x, y, shown) = (LEFT - 10.0, y + 4.5, thousands(value));
        put(svg, format_args!("<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{shown}</text>"));
    }
    let first = levels.first().and_then(|turns| turns.series.first());
    let name = first.map(|series| series.name.as_str()).unwrap_or_default();
    for (at, _) in points(levels, name, CONCURRENCY) {
        let (x, y) = (axes.x(at), HEIGHT - BOTTOM + 20.0);
        put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{at}</text>"));
    }
    let (x, y) = (LEFT + (WIDTH - LEFT - RIGHT) / 2.0, HEIGHT - 12.0);
    put(svg, format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">calls at once</text>"));
}

fn path(svg: &mut String, axes: &Axes, line: &[Point], class: &str) {
    let mut d = String::new();
    for (number, (at, spread)) in line.iter().enumerate() {
        let to = if number == 0 { 'M' } else { 'L' };
        d.push_str(&format!("{to}{:.1} {:.1}", axes.x(*at), axes.y(spread.median)));
    }
    put(svg, format_args!("<path class=\"{class}\" d=\"{d}\"/>"));
}

/// Writes each name beside the end of its line, none over another.
fn names_of_lines(svg: &mut String, axes: &Axes, lines: &[(&str, Vec<Point>)]) {
    const APART: f64 = 17.0;
    let ends = lines.iter().enumerate().filter_map(|(number, (name, line))| {
        let (_, spread) = line.last()?;
        Some((axes.y(spread.median), number, *name))
    });
    let mut ends: Vec<_> = ends.collect();
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = TOP;
    for (y, number, name) in ends {
        let y = y.max(free);
        free = y + APART;
        let (x, y, colour) = (WIDTH - RIGHT + 12.0, y + 4.5, number.min(COLOURS - 1));
        put(
            svg,
            format_args!(
                "<circle class=\"f{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
                x + 2.0,
                y - 4.5
            ),
        );
        put(svg, format_args!("<text x=\"{:.1}\" y=\"{y:.1}\">{name}</text>", x + 12.0));
    }
}

/// Returns a value as `12,000`, or with what is behind the point where that tells something.
fn thousands(value: f64) -> String {
    if value < 1.0 && value > 0.0 {
        return format!("{value}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (number, digit) in digits.chars().enumerate() {
        if number > 0 && (digits.len() - number) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    // To write into a string never fails.
    let _ = writeln!(svg, "{line}");
}

#[cfg(test)]
mod tests {
    use super::super::turns::{Sample, Series};
    use super::*;

    fn levels() -> Vec<Turns> {
        let level = |at: u32| Turns {
            title: format!("{at} at once"),
            series: ["raw", "fresh"]
                .map(|name| Series {
                    name: name.to_owned(),
                    rounds: vec![
                        Sample::default()
                            .with(CONCURRENCY, f64::from(at))
                            .with("per_second", f64::from(at) * 1_000.0),
                    ],
                })
                .to_vec(),
        };
        [1, 2, 4].map(level).to_vec()
    }

    #[test]
    fn every_line_is_drawn_within_the_picture() {
        let plot =
            Plot { title: "calls a second", figures: ("per_second", None), scale: Scale::Linear };
        let svg = plot.draw(&levels()).unwrap();
        assert_eq!(svg.matches("class=\"line ").count(), 2, "{svg}");
        assert!(svg.contains(">4,000<") && svg.contains(">calls at once<"), "{svg}");
        for part in svg.split("cy=\"").skip(1) {
            let y: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=HEIGHT).contains(&y), "{svg}");
        }
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let plot = Plot { title: "", figures: ("absent", None), scale: Scale::Logarithmic };
        assert_eq!(plot.draw(&[]), None);
        assert_eq!(plot.draw(&levels()), None);
    }

    #[test]
    fn steps_are_round_and_numbers_have_commas() {
        assert_eq!([7.0, 40.0, 23_000.0].map(step), [2.0, 10.0, 5_000.0]);
        assert_eq!(
            [0.1, 999.0, 1_000.0, 1_234_567.0].map(thousands),
            ["0.1", "999", "1,000", "1,234,567"]
        );
    }
}
