//! The shapes of a service. A call needs a few of what may be thousands, so each is read when it is first asked for.

use std::sync::OnceLock;

use crate::frame::{FrameStart, read_shape};
use crate::model::{SCALARS, Shape, ShapeId, Text};

static SCALAR_SHAPES: [Shape; SCALARS.len()] = SCALARS;

/// The shapes of a service, by [`ShapeId`]: [`SCALARS`], then its own.
#[derive(Clone, Debug)]
pub struct Shapes(Source);

#[derive(Clone, Debug)]
enum Source {
    /// As the builder makes them.
    Made(Vec<Shape>),
    /// In a frame.
    Frame(FrameShapes),
}

/// Shapes that stand in a frame. That each can be read was seen when it was passed over, once.
#[derive(Clone, Debug)]
pub(crate) struct FrameShapes {
    pub(crate) frame: &'static [u8],
    pub(crate) texts: &'static [Text],
    pub(crate) starts: Vec<FrameStart>,
    /// One for each start; filled on first use.
    pub(crate) read: Vec<OnceLock<Box<Shape>>>,
}

impl FrameShapes {
    fn get(&self, place: usize) -> Option<&Shape> {
        let (start, cell) = (self.starts.get(place)?, self.read.get(place)?);
        if let Some(shape) = cell.get() {
            return Some(shape);
        }
        let shape = read_shape(self.frame, self.texts, *start).ok()?;
        Some(cell.get_or_init(|| Box::new(shape)))
    }
}

impl Shapes {
    /// Shapes as the builder makes them; `own` are those behind [`SCALARS`].
    pub const fn of(own: Vec<Shape>) -> Self {
        Self(Source::Made(own))
    }

    pub(crate) fn in_frame(shapes: FrameShapes) -> Self {
        Self(Source::Frame(shapes))
    }

    /// The shape with this id.
    pub fn get(&self, id: ShapeId) -> Option<&Shape> {
        let Some(place) = id.checked_sub(SCALARS.len()) else { return SCALAR_SHAPES.get(id) };
        match &self.0 {
            Source::Made(own) => own.get(place),
            Source::Frame(shapes) => shapes.get(place),
        }
    }

    /// Those behind [`SCALARS`], in the order of their ids.
    pub fn own(&self) -> impl Iterator<Item = &Shape> {
        self.own_ids().filter_map(|id| self.get(id))
    }

    fn own_ids(&self) -> std::ops::Range<ShapeId> {
        let count = match &self.0 {
            Source::Made(own) => own.len(),
            Source::Frame(shapes) => shapes.starts.len(),
        };
        SCALARS.len()..SCALARS.len() + count
    }

    /// Whether each can be read, which is so for whatever a frame gave.
    #[cfg(test)]
    pub(crate) fn all_can_be_read(&self) -> bool {
        self.own_ids().all(|id| self.get(id).is_some())
    }
}

impl PartialEq for Shapes {
    fn eq(&self, other: &Self) -> bool {
        self.own().eq(other.own())
    }
}
