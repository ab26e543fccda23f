//! Writing a matrix of f32 as `.npy`, format 1.0.

use std::io::{self, Write};

use ndarray::ArrayView2;

/// The position of the first value is a multiple of this, so that the file can be mapped.
const ALIGNMENT: usize = 64;

/// Bytes before the text of the header.
const FIXED: usize = 10;

/// Writes the matrix row by row, little-endian.
pub fn write(file: &mut dyn Write, matrix: ArrayView2<'_, f32>) -> io::Result<()> {
    let (rows, columns) = matrix.dim();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let length = (FIXED + header.len() + 1).next_multiple_of(ALIGNMENT) - FIXED;
    header.extend(std::iter::repeat_n(' ', length - header.len() - 1));
    header.push('\n');
    file.write_all(super::MAGIC)?;
    file.write_all(&[1, 0])?;
    // Two numbers of at most 20 digits: the length is 118.
    file.write_all(&(length as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for value in matrix {
        file.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn the_bytes_are_those_of_numpy() {
        let mut file = Vec::new();
        let matrix = arr2(&[[1.0_f32, -2.0], [0.5, f32::NAN], [3.0, 4.0]]);
        write(&mut file, matrix.view()).unwrap();
        // numpy.save of the same matrix: 128 bytes of header, then the values.
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
        let mut expected = b"\x93NUMPY\x01\x00v\x00".to_vec();
        expected.extend(format!("{header:<117}\n").into_bytes());
        expected.extend(
            [1.0_f32, -2.0, 0.5, f32::NAN, 3.0, 4.0]
                .map(f32::to_le_bytes)
                .concat(),
        );
        assert_eq!(file, expected);
        let transposed = arr2(&[[1.0_f32, 0.5, 3.0], [-2.0, f32::NAN, 4.0]]);
        let mut again = Vec::new();
        write(&mut again, transposed.t()).unwrap();
        assert_eq!(again, expected);
    }
}
