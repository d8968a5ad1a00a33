/** Certificates: who a cell is, whom it believes, and how certificates are made. */
@NullMarked
package org.cellkeeper.cell.trust;

import org.jspecify.annotations.NullMarked;
