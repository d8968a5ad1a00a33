/** What the appliance's image does when containers, networks and disks fail. */
@org.jspecify.annotations.NullMarked
package org.cellkeeper.image;
