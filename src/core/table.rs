//! A small map, ordered by its keys: for the dozens of workers, sockets and processes of pidone. It
//! compiles to a tenth of the code of `BTreeMap`.

use alloc::vec::Vec;

/// A map in a sorted vector.
#[derive(Debug, Clone)]
pub struct Table<K, V>(Vec<(K, V)>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy, V> Table<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        let place = self.place(key).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// The value of a key, mutable.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(key) {
            Ok(place) => {
                if let Some(entry) = self.0.get_mut(place) {
                    entry.1 = value;
                }
            }
            Err(place) => self.0.insert(place, (key, value)),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let place = self.place(key).ok()?;
        Some(self.0.remove(place).1)
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the map is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key and its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// Each key and its value, mutable, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (*key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.0.iter().map(|(key, _)| *key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values, mutable, in the order of their keys.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    fn place(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(its_key, _)| its_key.cmp(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn keys_are_unique_and_in_order() {
        let mut table = Table::default();
        for (key, value) in [(3, 'c'), (1, 'a'), (2, 'x'), (2, 'b')] {
            table.insert(key, value);
        }
        assert_eq!(table.keys().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(table.values().collect::<String>(), "abc");
        assert_eq!(table.remove(1), Some('a'));
        assert_eq!((table.remove(1), table.get(1)), (None, None));
        if let Some(value) = table.get_mut(3) {
            *value = 'd';
        }
        assert_eq!(table.iter_mut().count(), 2);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(2, &'b'), (3, &'d')]);
        assert_eq!((table.len(), table.is_empty()), (2, false));
    }
}
