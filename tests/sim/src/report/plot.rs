//! Plots as SVG. Colours are classes of the page's style, so that they suit light and dark.

use core::fmt::Write as _;

use super::{axis::Axis, escape};

/// The whole picture, and what is left of it for the axes' names.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// Names of ticks are so far from the axis.
const GAP: f64 = 8.0;

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// One after the other.
    Line,
    /// The same, dashed: what should be.
    Dashed,
    /// Down to the axis.
    Area,
    /// Each by itself.
    Dots,
    /// Each from its place to the next as a bar.
    Bars,
}

/// Points of one kind.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// For the legend; nothing if it needs none.
    pub(super) name: String,
    /// The number of the colour.
    pub(super) colour: usize,
    pub(super) mark: Mark,
    pub(super) points: Vec<(f64, f64)>,
}

/// Between two values over time.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64, f64)>,
}

/// A picture of some series.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    /// What to look at.
    pub(super) note: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) bands: Vec<Band>,
    pub(super) series: Vec<Series>,
}

impl Plot {
    /// The picture with its title and legend.
    pub(super) fn draw(&self) -> String {
        let mut out = String::new();
        let title = escape(&self.title);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<figure><figcaption><h3>{title}</h3><p>{}</p></figcaption>{}\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">",
            escape(&self.note),
            self.legend(),
        );
        self.draw_grid(&mut out);
        for band in &self.bands {
            let _ = write!(out, "<path class=\"band\" d=\"{}\"/>", self.band(band));
        }
        for series in &self.series {
            self.draw_series(&mut out, series);
        }
        out.push_str("</svg></figure>");
        out
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn draw_grid(&self, out: &mut String) {
        let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, name) in self.y.ticks() {
            let y = self.y(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text class=\"tick\" \
                 x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
                LEFT - GAP,
                y + 4.0,
            );
        }
        for (value, name) in self.x.ticks() {
            let x = self.x(value);
            let _ = write!(
                out,
                "<path class=\"rule\" d=\"M{x:.1} {floor}v5\"/><text class=\"tick\" x=\"{x:.1}\" \
                 y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
                floor + 20.0,
            );
        }
        let _ = write!(out, "<path class=\"rule\" d=\"M{LEFT} {floor}H{right}\"/>");
    }

    fn draw_series(&self, out: &mut String, series: &Series) {
        let colour = series.colour;
        let _ = match series.mark {
            Mark::Line => write!(
                out,
                "<path class=\"line c{colour}\" d=\"{}\"/>",
                self.line(series)
            ),
            Mark::Dashed => write!(
                out,
                "<path class=\"line dashed c{colour}\" d=\"{}\"/>",
                self.line(series)
            ),
            Mark::Area => write!(
                out,
                "<path class=\"area c{colour}\" d=\"{}\"/><path class=\"line c{colour}\" d=\"{}\"/>",
                self.area(series),
                self.line(series)
            ),
            Mark::Dots => write!(
                out,
                "<path class=\"dots c{colour}\" d=\"{}\"/>",
                self.dots(series)
            ),
            Mark::Bars => write!(
                out,
                "<path class=\"bars c{colour}\" d=\"{}\"/>",
                self.bars(series)
            ),
        };
    }

    fn line(&self, series: &Series) -> String {
        let mut path = String::new();
        for (x, y) in &series.points {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.x(*x), self.y(*y));
        }
        path
    }

    fn area(&self, series: &Series) -> String {
        let ends = series.points.first().zip(series.points.last());
        let Some(((first, _), (last, _))) = ends else {
            return String::new();
        };
        let floor = HEIGHT - BOTTOM;
        let (first, last) = (self.x(*first), self.x(*last));
        format!(
            "{}L{last:.1} {floor}L{first:.1} {floor}Z",
            self.line(series)
        )
    }

    /// A line of no length with round ends is a dot.
    fn dots(&self, series: &Series) -> String {
        let mut path = String::new();
        for (x, y) in &series.points {
            let _ = write!(path, "M{:.1} {:.1}h0", self.x(*x), self.y(*y));
        }
        path
    }

    fn bars(&self, series: &Series) -> String {
        let floor = HEIGHT - BOTTOM;
        let mut path = String::new();
        for pair in series.points.windows(2) {
            let [(from, value), (to, _)] = pair else {
                continue;
            };
            let (left, right) = (self.x(*from) + 0.5, self.x(*to) - 0.5);
            let top = self.y(*value);
            let _ = write!(path, "M{left:.1} {floor}V{top:.1}H{right:.1}V{floor}Z");
        }
        path
    }

    fn band(&self, band: &Band) -> String {
        let mut path = String::new();
        for (x, _, high) in &band.points {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.x(*x), self.y(*high));
        }
        for (x, low, _) in band.points.iter().rev() {
            let _ = write!(path, "L{:.1} {:.1}", self.x(*x), self.y(*low));
        }
        path + "Z"
    }

    fn legend(&self) -> String {
        let mut items = String::new();
        for series in self.series.iter().filter(|series| !series.name.is_empty()) {
            let dashed = if series.mark == Mark::Dashed {
                " dashed"
            } else {
                ""
            };
            let _ = write!(
                items,
                "<li><i class=\"key c{}{dashed}\"></i>{}</li>",
                series.colour,
                escape(&series.name)
            );
        }
        for band in &self.bands {
            let name = escape(&band.name);
            let _ = write!(items, "<li><i class=\"key band\"></i>{name}</li>");
        }
        if items.is_empty() {
            return items;
        }
        format!("<ul class=\"legend\">{items}</ul>")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::axis::Unit, *};

    #[test]
    fn a_plot_draws_its_series_inside_its_frame_and_names_them() {
        let plot = Plot {
            title: "a < b".to_owned(),
            note: String::new(),
            x: Axis::time(10.0),
            y: Axis::linear(Unit::Part, 1.0),
            bands: Vec::new(),
            series: vec![Series {
                name: "used".to_owned(),
                colour: 2,
                mark: Mark::Line,
                points: vec![(0.0, 0.0), (10.0, 1.0)],
            }],
        };
        let drawn = plot.draw();
        assert!(
            drawn.contains("a &lt; b") && drawn.contains("used</li>"),
            "{drawn}"
        );
        assert!(
            drawn.contains("class=\"line c2\" d=\"M60.0 206.0L532.0 14.0\""),
            "{drawn}"
        );
    }
}
