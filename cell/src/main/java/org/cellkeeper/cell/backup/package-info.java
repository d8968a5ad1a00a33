/** Backups on the transfer share. */
@NullMarked
package org.cellkeeper.cell.backup;

import org.jspecify.annotations.NullMarked;
