/** Coordination through a ZooKeeper ensemble, and the ensemble's member that runs beside the cell. */
@NullMarked
package org.cellkeeper.cell.zookeeper;

import org.jspecify.annotations.NullMarked;
